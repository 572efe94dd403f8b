//! `cargo xtask bench`: the benchmark program, a workspace of its own because
//! it builds the libraries to compare with, one of them in C++.

use std::io;
use std::process::ExitCode;

use crate::process;
use crate::setup;
use crate::workspace;

/// Where a whole run leaves its tables and charts.
const RESULTS: &str = "docs/performance";
/// The page that tells of them, and has the goals in it.
const GOALS: &str = "docs/PERFORMANCE.md";

pub(crate) fn run(quick: bool, arguments: &[String]) -> io::Result<ExitCode> {
    setup::debian_packages_with_libsodium();
    let mut bench = workspace::cargo();
    bench.args(["run", "--locked", "--release", "--features", "peers"]);
    bench.arg("--manifest-path");
    bench
        .arg(workspace::root().join("bench/Cargo.toml"))
        .arg("--");
    bench.args(quick.then_some("--quick")).args(arguments);
    if !quick && is_whole(arguments) {
        bench.arg("--docs").arg(workspace::root().join(RESULTS));
        bench.arg("--goals").arg(workspace::root().join(GOALS));
        if arguments.is_empty() {
            bench.arg("--json");
            bench.arg(workspace::target_dir().join("bench.json"));
        }
    }
    let succeeded = process::run_in_the_open(&mut bench)?;
    Ok(if succeeded {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Whether nothing is selected by `arguments`, which may say where the JSON goes.
fn is_whole(arguments: &[String]) -> bool {
    match arguments {
        [] => true,
        [option, _file] => option == "--json",
        [option] => option.starts_with("--json="),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::is_whole;

    #[test]
    fn a_run_is_whole_wherever_its_results_go() {
        let is_whole = |arguments: &str| {
            let arguments: Vec<_> = arguments.split_whitespace().map(str::to_owned).collect();
            is_whole(&arguments)
        };
        assert!(is_whole("") && is_whole("--json a.json") && is_whole("--json=a.json"));
        assert!(!is_whole("--via tcp") && !is_whole("--json a.json --via tcp"));
        assert!(!is_whole("growth"));
    }
}
