//! The runtime's errors as Python's exceptions: the one place that knows both.

use ferromq::{Error, StateError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyType;

/// The exception of `error`, with the endpoint where it has one.
#[cold]
pub(crate) fn raise(py: Python<'_>, error: &Error) -> PyErr {
    let exception = raise_text(py, class_name(error), &error.to_string());
    let endpoint = match error {
        Error::Endpoint(cause) => Some(cause.endpoint().to_owned()),
        Error::Transport(cause) => Some(cause.endpoint().to_string()),
        Error::UnknownScheme { endpoint, .. }
        | Error::NoSuchEndpoint { endpoint }
        | Error::Unauthenticated { endpoint, .. }
        | Error::Connect { endpoint, .. } => Some(endpoint.clone()),
        _ => None,
    };
    if let Some(endpoint) = endpoint {
        // An exception that cannot hold it is raised all the same.
        let _ = exception.value(py).setattr("endpoint", endpoint);
    }
    exception
}

/// The exception of that name with that text.
#[cold]
pub(crate) fn raise_text(py: Python<'_>, class: &str, text: &str) -> PyErr {
    match class_of(py, class) {
        Ok(class) => PyErr::from_type(class, text.to_owned()),
        Err(error) => error,
    }
}

fn class_of<'py>(py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyType>> {
    static MODULE: PyOnceLock<Py<PyModule>> = PyOnceLock::new();
    let module = MODULE.get_or_try_init(py, || py.import("ferromq._errors").map(Bound::unbind))?;
    Ok(module.bind(py).getattr(name)?.cast_into()?)
}

fn class_name(error: &Error) -> &'static str {
    match error {
        Error::WouldBlock => "WouldBlock",
        Error::TimedOut => "TimedOut",
        Error::Closed => "Closed",
        Error::Terminated => "Terminated",
        Error::Unsupported { .. } => "Unsupported",
        Error::State(StateError::ReplierGone) => "ReplierGone",
        Error::State(_) => "OutOfTurn",
        Error::HostUnreachable { .. } => "HostUnreachable",
        Error::TooFewParts { .. } | Error::WrongParts { .. } => "WrongParts",
        Error::Group(_) | Error::AlreadyJoined | Error::NotJoined => "GroupError",
        Error::Endpoint(_) => "EndpointError",
        Error::Transport(cause) => transport_class(cause.cause()),
        Error::UnknownScheme { .. } => "UnknownScheme",
        Error::NoSuchEndpoint { .. } => "NoSuchEndpoint",
        Error::Option { .. } => "OptionError",
        Error::Subscription { .. } => "SubscriptionError",
        Error::Connect { .. } => "ConnectRefused",
        Error::Unauthenticated { .. } => "Unauthenticated",
        Error::System { .. } => "ResourceError",
        _ => "Error",
    }
}

fn transport_class(cause: ferromq_transport::Cause) -> &'static str {
    use ferromq_transport::Cause;
    match cause {
        Cause::AddressInUse => "AddressInUse",
        Cause::AddressNotAvailable => "AddressNotAvailable",
        Cause::PermissionDenied | Cause::UserRefused { .. } => "AccessDenied",
        Cause::Exhausted { .. } => "ResourceError",
        _ => "TransportError",
    }
}
