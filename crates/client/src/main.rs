//! The `indelible-cli` command, which takes rekor-cli's command line.

mod cli;

use std::process::ExitCode;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments = std::env::args_os().collect();
    // A variable that is no text is none of ours.
    let environment = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let (mut out, mut err) = (std::io::stdout(), std::io::stderr());
    cli::run(arguments, environment, &mut cli::Terminal { out: &mut out, err: &mut err }).await
}
