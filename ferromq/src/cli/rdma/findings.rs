//! What is wrong, and what helps.

use super::machine::{Device, LockedMemory, Machine, Node, Port};

/// Whether this user can use a port of any device.
pub(super) fn is_usable(machine: &Machine) -> bool {
    let device = |device: &Device| {
        device.verbs == Node::Usable && device.ports.iter().any(|port| port_trouble(port).is_none())
    };
    machine.connection_manager == Node::Usable && machine.devices.iter().any(device)
}

/// What keeps `rdma://` from working, a line each.
pub(super) fn wrong(machine: &Machine) -> Vec<String> {
    if machine.devices.is_empty() {
        return vec![NO_DEVICE.to_owned()];
    }
    let mut wrong = Vec::new();
    wrong.extend(node_trouble(
        &machine.connection_manager,
        "no /dev/infiniband/rdma_cm: modprobe rdma_ucm",
    ));
    for device in &machine.devices {
        let name = &device.name;
        let absent = format!("{name} has no /dev/infiniband/uverbs*: modprobe ib_uverbs");
        wrong.extend(node_trouble(&device.verbs, &absent));
        for port in &device.ports {
            let trouble = port_trouble(port);
            wrong.extend(trouble.map(|trouble| format!("{name}/{}: {trouble}", port.number)));
        }
    }
    if let LockedMemory::Bytes(limit) = machine.locked_memory
        && limit < LOCKED_MEMORY
    {
        wrong.push(format!(
            "locked memory is limited to {} KiB, and a connection registers some 600: \
             ulimit -l unlimited, or LimitMEMLOCK=infinity of systemd",
            limit >> 10
        ));
    }
    wrong
}

/// What works, but not as well as it could.
pub(super) fn notes(machine: &Machine) -> Vec<String> {
    let ports = machine.devices.iter().flat_map(|device| {
        let ports = device.ports.iter();
        ports.map(move |port| (device.name.as_str(), port))
    });
    let mut notes = Vec::new();
    for (device, port) in ports.filter(|(_, port)| port.is_active() && port.is_ethernet()) {
        let Some(interface) = &port.interface else {
            continue;
        };
        if let Some(mtu) = interface.mtu.filter(|mtu| *mtu < MTU) {
            notes.push(format!(
                "{device}/{}: an MTU of {mtu} bytes makes packets of {}; at {MTU} they have 4096: \
                 ip link set {} mtu {MTU}, on all hosts and switches",
                port.number,
                packet(mtu),
                interface.name
            ));
        }
        if port.gids.iter().all(|gid| gid.kind != "RoCE v2") {
            notes.push(format!(
                "{device}/{}: no address of RoCE v2, so that no router passes it on",
                port.number
            ));
        }
    }
    notes
}

fn port_trouble(port: &Port) -> Option<String> {
    if !port.is_active() {
        let state = &port.state;
        return Some(match (port.is_ethernet(), &port.interface) {
            (true, Some(it)) => format!("it is {state}: ip link set {} up, or the cable", it.name),
            (true, None) => format!("it is {state}: its interface is down, or the cable"),
            (false, _) if state == "INIT" => {
                "it is INIT: no subnet manager has found it; start opensm on one host".to_owned()
            }
            (false, _) => format!("it is {state}: the cable, or the switch"),
        });
    }
    // On InfiniBand, addresses are those of an IPoIB interface, which are no GIDs.
    let addressed = !port.is_ethernet() || port.gids.iter().any(|gid| gid.endpoint().is_some());
    (!addressed).then(|| match &port.interface {
        Some(it) => format!("no IP address: ip addr add ADDRESS/24 dev {}", it.name),
        None => "no IP address".to_owned(),
    })
}

fn node_trouble(node: &Node, absent: &str) -> Option<String> {
    match node {
        Node::Usable => None,
        Node::Absent => Some(absent.to_owned()),
        Node::Forbidden(path) => Some(format!(
            "{} may not be read and written by you: chmod 666, or join its group",
            path.display()
        )),
    }
}

/// The longest packet's payload for an interface: a power of two, beside headers.
fn packet(mtu: u32) -> u32 {
    let sizes = [4096, 2048, 1024, 512];
    let fits = sizes.into_iter().find(|size| size + HEADERS <= mtu);
    fits.unwrap_or(256)
}

const NO_DEVICE: &str = "no RDMA device: modprobe the driver of the card (mlx5_ib, bnxt_re, \
                         irdma, ...), or try without a card: modprobe rdma_rxe && rdma link add \
                         rxe0 type rxe netdev eth0";
/// What RoCE v2 adds to a payload, with IPv6 and the longest extended header; what Linux
/// takes off an interface's MTU.
const HEADERS: u32 = 40 + 8 + 12 + 28 + 4;
/// An interface's MTU from which packets have 4096 bytes, with some room.
const MTU: u32 = 4200;
/// A few connections, and payloads of a few MiB.
const LOCKED_MEMORY: u64 = 64 << 20;
