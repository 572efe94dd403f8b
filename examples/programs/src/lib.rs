//! The little that the programs of this package share: how they end, and how a
//! frame is shown to a person.

use std::borrow::Cow;
use std::error::Error;
use std::process::ExitCode;

/// What a program, or one of its threads, comes to.
pub type Outcome<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

/// Ends `main`: says on standard error what went wrong, if something did.
#[must_use]
pub fn ended(outcome: Outcome) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// A frame as text; what is no UTF-8 in it shows as `�`, and a frame that is not
/// there as nothing.
#[must_use]
pub fn text<F: AsRef<[u8]>>(frame: Option<&F>) -> Cow<'_, str> {
    frame.map_or(Cow::Borrowed(""), |it| String::from_utf8_lossy(it.as_ref()))
}
