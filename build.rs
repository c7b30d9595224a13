//! Rebuilds when a migration is added: `sqlx::migrate!` reads the folders while it is
//! compiled, and cargo does not notice a new file in them by itself.

fn main() {
    println!("cargo::rerun-if-changed=migrations");
}
