//! Options by name, as Python gives them.

use std::collections::HashMap;
use std::time::Duration;

use ferromq::{AddressRange, Fabric, LinkOptions, Options};
use ferromq_transport::{IpVersion, Keepalive, LocalUsers};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict};

use crate::convert::bytes_or_text;
use crate::curve;
use crate::wait::{SLICE, Wait, duration};

/// The options of one socket: the runtime's, and what Python was told of them.
#[derive(Clone)]
pub(crate) struct Settings {
    options: Options,
    link: LinkOptions,
    send_timeout: Option<Duration>,
    receive_timeout: Option<Duration>,
    /// As they were given, by name.
    given: HashMap<String, std::sync::Arc<Py<PyAny>>>,
}

impl Default for Settings {
    fn default() -> Self {
        let slice = Some(SLICE);
        Self {
            // Time-outs are kept here: the runtime's calls end after a slice, so
            // that Ctrl-C is noticed.
            options: Options::new().send_timeout(slice).receive_timeout(slice),
            link: LinkOptions::default(),
            send_timeout: None,
            receive_timeout: None,
            given: HashMap::new(),
        }
    }
}

impl Settings {
    pub(crate) fn send_wait(&self) -> Wait {
        wait(self.send_timeout)
    }

    pub(crate) fn receive_wait(&self) -> Wait {
        wait(self.receive_timeout)
    }

    /// The runtime's options as they are.
    pub(crate) fn current(&self) -> Options {
        self.options.clone().link(self.link.clone())
    }

    /// Takes changes in and answers the runtime's options.
    pub(crate) fn change(&mut self, changes: &Bound<'_, PyDict>) -> PyResult<Options> {
        for (name, value) in changes {
            let name: String = name.extract()?;
            self.change_one(&name, &value)
                .map_err(|error| about(&name, &value, error))?;
            let value = std::sync::Arc::new(value.unbind());
            self.given.insert(name, value);
        }
        Ok(self.current())
    }

    /// Every option, as given or as it is by default.
    pub(crate) fn as_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let all = py
            .import("ferromq._options")?
            .getattr("DEFAULTS")?
            .call_method0("copy")?
            .cast_into::<PyDict>()?;
        for (name, value) in &self.given {
            all.set_item(name, value.bind(py))?;
        }
        Ok(all)
    }

    pub(crate) fn get<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
        let value = self.as_dict(py)?.get_item(name)?;
        value.ok_or_else(|| unknown(name))
    }

    fn change_one(&mut self, name: &str, value: &Bound<'_, PyAny>) -> PyResult<()> {
        match name {
            "send_timeout" => self.send_timeout = time(value)?,
            "receive_timeout" => self.receive_timeout = time(value)?,
            _ => {
                if !self.change_link(name, value)? {
                    let old = &self.options;
                    let changed = change_flag(old, name, value)
                        .or_else(|| change_number(old, name, value))
                        .or_else(|| change_rest(old, name, value));
                    self.options = changed.ok_or_else(|| unknown(name))??;
                }
            }
        }
        Ok(())
    }

    /// Whether it was one of the link's.
    fn change_link(&mut self, name: &str, value: &Bound<'_, PyAny>) -> PyResult<bool> {
        let link = &mut self.link;
        match name {
            "keepalive" => link.keepalive = keepalive(value)?,
            "nodelay" => link.nodelay = value.extract()?,
            "send_buffer" => link.send_buffer = value.extract()?,
            "receive_buffer" => link.receive_buffer = value.extract()?,
            "backlog" => link.backlog = value.extract()?,
            "traffic_class" => link.traffic_class = value.extract()?,
            "unacknowledged_timeout" => link.unacknowledged_timeout = time(value)?,
            "ip_version" => {
                link.ip_version = match value.extract()? {
                    "v4-first" => IpVersion::V4First,
                    "dual" => IpVersion::Dual,
                    "v6-only" => IpVersion::V6Only,
                    _ => return Err(PyValueError::new_err("v4-first, dual or v6-only")),
                }
            }
            "local_users" => {
                link.local_users = match value.extract()? {
                    "same" => LocalUsers::Same,
                    "any" => LocalUsers::Any,
                    _ => return Err(PyValueError::new_err("same or any")),
                }
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// `None`: the name is another group's.
type Changed = Option<PyResult<Options>>;

fn change_flag(options: &Options, name: &str, value: &Bound<'_, PyAny>) -> Changed {
    let setter: fn(Options, bool) -> Options = match name {
        "immediate" => Options::immediate,
        "conflate" => Options::conflate,
        "req_correlate" => Options::req_correlate,
        "req_relaxed" => Options::req_relaxed,
        "router_mandatory" => Options::router_mandatory,
        "router_handover" => Options::router_handover,
        "probe_router" => Options::probe_router,
        "xpub_verbose" => Options::xpub_verbose,
        "xpub_verboser" => Options::xpub_verboser,
        "xpub_manual" => Options::xpub_manual,
        "pub_no_drop" => Options::pub_no_drop,
        "invert_matching" => Options::invert_matching,
        "crc" => Options::crc,
        "by_reference" => Options::by_reference,
        "extensions" => Options::extensions,
        "switch" => Options::switch,
        _ => return None,
    };
    Some(value.extract().map(|on| setter(options.clone(), on)))
}

fn change_number(options: &Options, name: &str, value: &Bound<'_, PyAny>) -> Changed {
    let options = options.clone();
    Some(match name {
        "send_high_water_mark" => value.extract().map(|n| options.send_high_water_mark(n)),
        "receive_high_water_mark" => value.extract().map(|n| options.receive_high_water_mark(n)),
        "send_bytes_limit" => {
            let limit = value.extract::<Option<usize>>();
            limit.map(|limit| options.send_bytes_limit(limit.unwrap_or(usize::MAX)))
        }
        "max_frame_size" => value.extract().map(|n| options.max_frame_size(n)),
        "max_message_size" => value.extract().map(|n| options.max_message_size(n)),
        "max_parts" => value.extract().map(|n| options.max_parts(n)),
        "max_subscriptions" => value.extract().map(|n| options.max_subscriptions(n)),
        "max_subscription_bytes" => value.extract().map(|n| options.max_subscription_bytes(n)),
        "max_total_subscriptions" => value.extract().map(|n| options.max_total_subscriptions(n)),
        "authentication_timeout" => {
            let time = time(value).map(|time| time.unwrap_or(Duration::MAX));
            time.map(|time| options.authentication_timeout(time))
        }
        "linger" => time(value).map(|linger| options.linger(linger)),
        "handshake_timeout" => {
            let time = time(value).map(|time| time.unwrap_or(Duration::MAX));
            time.map(|time| options.handshake_timeout(time))
        }
        "reconnect_interval" => {
            pair(value).map(|(min, max)| options.reconnect_interval(min, max.unwrap_or(min)))
        }
        "heartbeat" => heartbeat(options, value),
        _ => return None,
    })
}

fn change_rest(options: &Options, name: &str, value: &Bound<'_, PyAny>) -> Changed {
    let options = options.clone();
    Some(match name {
        "name" => value.extract::<String>().map(|name| options.name(name)),
        "identity" => bytes_or_text(value).map(|identity| options.identity(identity)),
        "connect_routing_id" => bytes_or_text(value).map(|id| options.connect_routing_id(id)),
        "welcome_message" => bytes_or_text(value).map(|it| options.welcome_message(it)),
        "plain_client" => value
            .extract::<(String, String)>()
            .map(|(name, password)| options.plain_client(&name, password)),
        "plain_server" if curve::asks(value) => Ok(options.plain_zap_server()),
        "plain_server" => value
            .extract::<HashMap<String, String>>()
            .map(|table| options.plain_server(table)),
        "curve_client" => curve::client(options, value),
        "curve_server" => curve::server(options, value),
        "zap_domain" => value.extract().map(|it: String| options.zap_domain(it)),
        "allow_addresses" => ranges(value).map(|ranges| options.allow_addresses(ranges)),
        "deny_addresses" => ranges(value).map(|ranges| options.deny_addresses(ranges)),
        "properties" => properties(options, value),
        "fabric" => fabric(value).map(|it| options.fabric(it)),
        _ => return None,
    })
}

/// What is asked for; `None`: as the environment says.
fn fabric(value: &Bound<'_, PyAny>) -> PyResult<Option<Fabric>> {
    let wanted: Option<String> = value.extract()?;
    Ok(Some(match wanted.as_deref() {
        None => return Ok(None),
        Some("unused") => Fabric::Unused,
        Some("between-machines") => Fabric::BetweenMachines,
        Some("preferred") => Fabric::Preferred,
        Some(_) => {
            let known = "unused, between-machines or preferred";
            return Err(PyValueError::new_err(known));
        }
    }))
}

/// Addresses, or the first bits of some: `192.0.2.0/24`.
fn ranges(value: &Bound<'_, PyAny>) -> PyResult<Vec<AddressRange>> {
    let texts: Vec<String> = value.extract()?;
    let ranges = texts.iter().map(|text| text.parse::<AddressRange>());
    let ranges: Result<_, _> = ranges.collect();
    ranges.map_err(|error| PyValueError::new_err(error.to_string()))
}

fn properties(mut options: Options, value: &Bound<'_, PyAny>) -> PyResult<Options> {
    for (name, value) in value.cast::<PyDict>()? {
        options = options.property(name.extract()?, bytes_or_text(&value)?);
    }
    Ok(options)
}

fn heartbeat(options: Options, value: &Bound<'_, PyAny>) -> PyResult<Options> {
    if value.is_none() {
        return Ok(options.heartbeat(Duration::ZERO, None, None));
    }
    let (interval, timeout, ttl) = match value.extract::<f64>() {
        Ok(interval) => (interval, None, None),
        Err(_) => value.extract::<(f64, Option<f64>, Option<f64>)>()?,
    };
    let optional = |time: Option<f64>| time.map_or(Ok(None), duration);
    let interval = duration(interval)?.unwrap_or_default();
    Ok(options.heartbeat(interval, optional(timeout)?, optional(ttl)?))
}

/// One time, or a first and a longest.
fn pair(value: &Bound<'_, PyAny>) -> PyResult<(Duration, Option<Duration>)> {
    let (min, max) = match value.extract::<f64>() {
        Ok(min) => (min, None),
        Err(_) => value.extract::<(f64, f64)>().map(|(a, b)| (a, Some(b)))?,
    };
    let finite = |seconds| duration(seconds).map(|time| time.unwrap_or(Duration::MAX));
    Ok((finite(min)?, max.map(finite).transpose()?))
}

/// Seconds; None and infinity are for ever.
fn time(value: &Bound<'_, PyAny>) -> PyResult<Option<Duration>> {
    value.extract::<Option<f64>>()?.map_or(Ok(None), duration)
}

fn keepalive(value: &Bound<'_, PyAny>) -> PyResult<Keepalive> {
    let on = |idle, interval, count| Keepalive::On {
        idle,
        interval,
        count,
    };
    if value.is_none() {
        return Ok(Keepalive::System);
    }
    if value.is_instance_of::<PyBool>() {
        return Ok(match value.is_truthy()? {
            true => on(None, None, None),
            false => Keepalive::Off,
        });
    }
    let (idle, interval, count) = value.extract::<(Option<f64>, Option<f64>, Option<u32>)>()?;
    let optional = |time: Option<f64>| time.map_or(Ok(None), duration);
    Ok(on(optional(idle)?, optional(interval)?, count))
}

fn wait(timeout: Option<Duration>) -> Wait {
    match timeout {
        Some(Duration::ZERO) => Wait::Not,
        timeout => Wait::within(timeout),
    }
}

fn unknown(name: &str) -> PyErr {
    PyTypeError::new_err(format!("no option is called {name}"))
}

/// Says which option it is about.
fn about(name: &str, value: &Bound<'_, PyAny>, error: PyErr) -> PyErr {
    let py = value.py();
    if error.value(py).to_string().contains(name) {
        return error;
    }
    let cause = error.value(py);
    let text = match name.starts_with("curve") || name.starts_with("plain") {
        // Secrets are not for logs.
        true => format!("option {name}: {cause}"),
        false => format!("option {name}: {cause} (given {value:?})"),
    };
    PyErr::from_type(error.get_type(py), text)
}
