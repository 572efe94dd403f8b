//! Counts as dicts, of which Python makes dataclasses.

use ferromq::{Drops, PeerState, PeerStatistics, Statistics, Traffic};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList};

pub(crate) fn as_dict<'py>(py: Python<'py>, counts: &Statistics) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    let peers = PyList::empty(py);
    for peer in &counts.peers {
        peers.append(peer_as_dict(py, peer)?)?;
    }
    dict.set_item("peers", peers)?;
    dict.set_item("traffic", traffic(py, &counts.traffic)?)?;
    dict.set_item("drops", drops(py, &counts.drops)?)?;
    dict.set_item("handshakes_failed", counts.handshakes_failed)?;
    dict.set_item("authentications_failed", counts.authentications_failed)?;
    dict.set_item(
        "authentications_undecided",
        counts.authentications_undecided,
    )?;
    dict.set_item("addresses_refused", counts.addresses_refused)?;
    dict.set_item("untyped_peers", counts.untyped_peers)?;
    dict.set_item("switched", counts.switched)?;
    dict.set_item("switches_refused", counts.switches_refused)?;
    dict.set_item("violations", counts.violations)?;
    Ok(dict)
}

fn peer_as_dict<'py>(py: Python<'py>, peer: &PeerStatistics) -> PyResult<Bound<'py, PyDict>> {
    let state = match peer.state {
        PeerState::Connected => "connected",
        PeerState::Leaving => "leaving",
        _ => "unconnected",
    };
    let dict = PyDict::new(py);
    dict.set_item("id", peer.id)?;
    dict.set_item("endpoint", &peer.endpoint)?;
    dict.set_item("address", peer.address.as_deref())?;
    dict.set_item("via", peer.via)?;
    dict.set_item("identity", PyBytes::new(py, &peer.identity))?;
    dict.set_item("state", state)?;
    dict.set_item("traffic", traffic(py, &peer.traffic)?)?;
    dict.set_item("drops", drops(py, &peer.drops)?)?;
    dict.set_item("queued_messages", peer.queued_messages)?;
    dict.set_item("queued_bytes", peer.queued_bytes)?;
    dict.set_item("received_messages", peer.received_messages)?;
    dict.set_item("received_bytes", peer.received_bytes)?;
    dict.set_item("reconnects", peer.reconnects)?;
    dict.set_item("ignored_commands", peer.ignored_commands)?;
    Ok(dict)
}

fn traffic<'py>(py: Python<'py>, traffic: &Traffic) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item("messages_received", traffic.messages_received)?;
    dict.set_item("bytes_received", traffic.bytes_received)?;
    dict.set_item("messages_sent", traffic.messages_sent)?;
    dict.set_item("bytes_sent", traffic.bytes_sent)?;
    dict.set_item("references_sent", traffic.references_sent)?;
    dict.set_item("references_received", traffic.references_received)?;
    dict.set_item("references_refused", traffic.references_refused)?;
    Ok(dict)
}

fn drops<'py>(py: Python<'py>, drops: &Drops) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    for (cause, messages) in drops.iter() {
        dict.set_item(cause.name(), messages)?;
    }
    Ok(dict)
}
