//! The `indelible-cli` command, which takes rekor-cli's command line.

mod cli;

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = std::env::args_os().collect();
    let environment = std::env::vars().collect();
    let (mut out, mut err) = (std::io::stdout().lock(), std::io::stderr().lock());
    cli::run(arguments, environment, &mut cli::Terminal { out: &mut out, err: &mut err }).await
}
