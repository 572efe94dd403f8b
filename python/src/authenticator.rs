//! Who decides on peers, as a function of Python's.

use ferromq::{AuthenticationRequest, Authenticator, Claim, Verdict};
use pyo3::exceptions::PyPermissionError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyDict, PyString};

/// Calls a function with each request, on the context's own thread.
pub(crate) struct Function(pub(crate) Py<PyAny>);

impl Authenticator for Function {
    fn authenticate(&self, request: &AuthenticationRequest) -> Verdict {
        // None: the interpreter is about to end.
        let verdict = Python::try_attach(|py| {
            let function = self.0.bind(py);
            let answer = as_dict(py, request).and_then(|request| function.call1((request,)));
            answer.map_or_else(|error| refused(&error, function), |it| verdict(&it))
        });
        verdict.unwrap_or_else(|| Verdict::fail("the interpreter ends"))
    }
}

/// True is yes, a text is yes to this user; all else is no.
fn verdict(answer: &Bound<'_, PyAny>) -> Verdict {
    if let Ok(user) = answer.cast::<PyString>() {
        return Verdict::allow(user.to_string_lossy());
    }
    match answer.cast::<PyBool>() {
        Ok(yes) if yes.is_true() => Verdict::allow(""),
        _ => Verdict::deny("the authenticator said no"),
    }
}

/// PermissionError is a no with its reason; all else is trouble, and told.
fn refused(error: &PyErr, function: &Bound<'_, PyAny>) -> Verdict {
    let py = function.py();
    if error.is_instance_of::<PyPermissionError>(py) {
        return Verdict::deny(error.value(py).to_string());
    }
    error.clone_ref(py).write_unraisable(py, Some(function));
    Verdict::fail("the authenticator raised")
}

fn as_dict<'py>(py: Python<'py>, request: &AuthenticationRequest) -> PyResult<Bound<'py, PyDict>> {
    let told = PyDict::new(py);
    told.set_item("domain", &request.domain)?;
    told.set_item("address", &request.address)?;
    told.set_item("identity", PyBytes::new(py, &request.identity))?;
    told.set_item("mechanism", request.mechanism())?;
    let (mut user, mut password, mut key) = (None, None, None);
    match &request.claim {
        Claim::Plain {
            username,
            password: secret,
        } => {
            user = Some(String::from_utf8_lossy(username).into_owned());
            password = Some(PyBytes::new(py, secret.expose()));
        }
        Claim::Curve { key: public } => key = Some(PyBytes::new(py, &public.to_z85())),
        _ => {}
    }
    told.set_item("username", user)?;
    told.set_item("password", password)?;
    told.set_item("key", key)?;
    Ok(told)
}
