//! The demonstration tells the truth, and leaves nothing behind however it ends.

use std::path::Path;
use std::thread;
use std::time::Instant;

use crate::program::{Ended, Program, WATCHDOG, send_signal};

#[test]
fn everything_arrives_whole() {
    let directory = tempfile::tempdir().unwrap();
    let ended = Program::start_in(directory.path(), "demo --size 8M").end();
    let lines = ended.well();
    let rows = |transport: &str| {
        let in_row = |line: &&String| line.contains(transport) && line.contains("whole, ");
        lines.iter().filter(in_row).count()
    };
    let rows = [" tcp ", " ipc ", " shm "].map(rows);
    assert_eq!(rows, [8; 3], "{lines:#?}");
    assert_eq!(
        lines
            .iter()
            .filter(|line| line.contains("8 MiB in one message"))
            .count(),
        3
    );
    let last = lines.last().unwrap();
    assert!(
        last.starts_with("Everything arrived whole: 24 of 24 rows, "),
        "{last}"
    );
    nothing_is_left(directory.path());
}

#[test]
fn an_interrupted_demonstration_leaves_nothing_behind() {
    let directory = tempfile::tempdir().unwrap();
    let mut demo = Program::start_in(directory.path(), "demo --size 1M");
    while !demo.line().contains("ipc") {}
    demo.signal("INT");
    let ended = demo.end();
    assert_eq!((ended.code, ended.stderr), (Some(130), vec![]));
    nothing_is_left(directory.path());
}

#[test]
fn a_process_that_dies_is_told_and_ends_the_demonstration() {
    let directory = tempfile::tempdir().unwrap();
    let started = Instant::now();
    let ended = loop {
        let ended = bereaved(directory.path());
        // Without a loss: the process was missed, or had nothing more to do.
        if ended.code != Some(0) {
            break ended;
        }
        assert!(started.elapsed() < WATCHDOG, "no death is ever told");
    };
    assert_eq!(ended.code, Some(1));
    let [told] = &ended.stderr[..] else {
        panic!("{:?}", ended.stderr)
    };
    assert!(
        told.starts_with("ferromq: demo: small messages over ipc: the process that "),
        "{told}"
    );
    nothing_is_left(directory.path());
}

/// A demonstration of which a process is killed that sends or receives small messages
/// over ipc, if it is met: they take a second, which is time enough as a rule.
fn bereaved(directory: &Path) -> Ended {
    let mut demo = Program::start_in(directory, "demo --size 1M");
    let rushes = |(_, line): &(u32, String)| line.contains("rate") && line.contains("ipc:");
    while !demo.has_ended() {
        let met = processes(directory).into_iter().find(rushes);
        if met.is_some_and(|(id, _)| send_signal(id, "KILL")) {
            break;
        }
        thread::yield_now();
    }
    demo.end()
}

#[track_caller]
fn nothing_is_left(directory: &Path) {
    assert_eq!(processes(directory), []);
    assert_eq!(std::fs::read_dir(directory).unwrap().count(), 0);
}

/// Processes that have the directory in their arguments, with these.
fn processes(directory: &Path) -> Vec<(u32, String)> {
    let directory = directory.display().to_string();
    let running = std::fs::read_dir("/proc").unwrap().filter_map(|entry| {
        let path = entry.ok()?.path();
        let id = path.file_name()?.to_str()?.parse().ok()?;
        let arguments = std::fs::read(path.join("cmdline")).ok()?;
        Some((id, String::from_utf8_lossy(&arguments).into_owned()))
    });
    running
        .filter(|(_, arguments)| arguments.contains(&directory))
        .collect()
}
