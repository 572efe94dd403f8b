//! Which files in a door's place are taken away, and which are not.

use std::fs::{self, File};
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

use example_alternative_transport::Fifo;
use ferromq_transport::{Cause, LinkOptions, Transport};
use rustix::fs::{CWD, FileType, Mode, mknodat};
use tempfile::TempDir;

fn bind(path: &Path) -> Result<(), Cause> {
    let endpoint = format!("fifo://{}", path.display()).parse().unwrap();
    let bound = Fifo.bind(&endpoint, &LinkOptions::default());
    bound.map(drop).map_err(|error| error.cause())
}

#[test]
fn the_door_of_a_killed_listener_is_taken_over_and_later_removed() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("door");
    mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    assert_eq!(bind(&path), Ok(()));
    assert!(!path.exists());
}

#[test]
fn a_pipe_that_somebody_reads_and_a_file_of_another_kind_stay() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("pipe");
    mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    let _reader = File::options().read(true).write(true).open(&path).unwrap();
    assert_eq!(bind(&path), Err(Cause::AddressInUse));
    assert!(fs::metadata(&path).unwrap().file_type().is_fifo());

    let path = directory.path().join("file");
    fs::write(&path, "precious").unwrap();
    assert_eq!(bind(&path), Err(Cause::AddressInUse));
    assert_eq!(fs::read(&path).unwrap(), b"precious");
}

#[test]
fn without_a_directory_there_is_no_door() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("missing").join("door");
    assert_eq!(bind(&path), Err(Cause::NotFound));
}
