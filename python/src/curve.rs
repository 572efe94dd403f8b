//! CURVE's keys, as bytes: 32 raw ones or 40 characters of Z85.

use ferromq::{CurveClients, CurveKeys, KeyError, Options, PublicKey, SecretKey};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::convert::bytes_or_text;

type Pair<'py> = (Bound<'py, PyBytes>, Bound<'py, PyBytes>);

/// A new pair of keys in Z85: the public one, then the secret one.
#[pyfunction]
pub(crate) fn curve_keypair(py: Python<'_>) -> Pair<'_> {
    let keys = py.detach(CurveKeys::generate);
    (
        PyBytes::new(py, &keys.public.to_z85()),
        PyBytes::new(py, &keys.secret.expose_z85()),
    )
}

/// The public key of a secret one, in Z85.
#[pyfunction]
pub(crate) fn curve_public<'py>(secret: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyBytes>> {
    let public = keys(secret)?.public.to_z85();
    Ok(PyBytes::new(secret.py(), &public))
}

/// `(server, secret)`: whom to believe, and who we are.
pub(crate) fn client(options: Options, value: &Bound<'_, PyAny>) -> PyResult<Options> {
    let (server, secret): (Bound<'_, PyAny>, Bound<'_, PyAny>) = value.extract()?;
    Ok(options.curve_client(public(&server)?, keys(&secret)?))
}

/// `(secret, clients)`: who we are, and whom to let in; None is everybody, "zap"
/// whomever the context's authenticator does.
pub(crate) fn server(options: Options, value: &Bound<'_, PyAny>) -> PyResult<Options> {
    let (secret, clients): (Bound<'_, PyAny>, Bound<'_, PyAny>) = value.extract()?;
    let clients = match asks(&clients) {
        true => CurveClients::Zap,
        false if clients.is_none() => CurveClients::Any,
        false => {
            let clients: Vec<Bound<'_, PyAny>> = clients.extract()?;
            let keys = clients.iter().map(public).collect::<PyResult<Vec<_>>>()?;
            CurveClients::keys(keys)
        }
    };
    Ok(options.curve_server(keys(&secret)?, clients))
}

/// Whether the context's authenticator is to be asked.
pub(crate) fn asks(value: &Bound<'_, PyAny>) -> bool {
    value.extract().is_ok_and(|text: String| text == "zap")
}

fn public(key: &Bound<'_, PyAny>) -> PyResult<PublicKey> {
    PublicKey::from_bytes(&bytes_or_text(key)?).map_err(refused)
}

fn keys(secret: &Bound<'_, PyAny>) -> PyResult<CurveKeys> {
    let secret = SecretKey::from_bytes(&bytes_or_text(secret)?).map_err(refused)?;
    Ok(CurveKeys::from_secret(secret))
}

fn refused(error: KeyError) -> PyErr {
    PyValueError::new_err(error.to_string())
}
