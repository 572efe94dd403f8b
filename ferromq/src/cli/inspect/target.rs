//! Which process to look at.

use ferromq::Endpoint;
use ferromq::status::{StatusError, StatusPlace, find};

/// A process, or where it shows its status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Target {
    Process(u32),
    Place(StatusPlace),
}

impl Target {
    pub(super) fn endpoint(&self) -> Result<Endpoint, StatusError> {
        match self {
            Self::Process(pid) => find(*pid),
            Self::Place(place) => place.endpoint(),
        }
    }
}

pub(super) fn parse(text: &str) -> Result<Target, String> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) && !text.is_empty() {
        let pid = text.parse();
        return pid
            .map(Target::Process)
            .map_err(|_| "no process has so high an id".to_owned());
    }
    match text.parse() {
        Ok(place) => Ok(Target::Place(place)),
        Err(_) => Err("neither a process id, nor a path with a slash, nor ipc://path".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_ids_or_places() {
        assert_eq!(parse("1"), Ok(Target::Process(1)));
        let place = Target::Place("/tmp/a".parse().unwrap());
        assert_eq!(parse("/tmp/a"), Ok(place.clone()));
        assert_eq!(parse("ipc:///tmp/a"), Ok(place));
        for text in ["", "name", "-1", "tcp://127.0.0.1:1", "99999999999"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
