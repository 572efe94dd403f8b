//! What /sys, /dev and /proc say of RDMA.

use std::fs;
use std::net::{IpAddr, Ipv6Addr};
use std::path::{Path, PathBuf};

use rustix::fs::Access;

/// This machine, as far as `rdma://` goes.
#[derive(Debug)]
pub(super) struct Machine {
    pub(super) devices: Vec<Device>,
    /// /dev/infiniband/rdma_cm, by which connections are made.
    pub(super) connection_manager: Node,
    pub(super) locked_memory: LockedMemory,
}

#[derive(Debug)]
pub(super) struct Device {
    pub(super) name: String,
    /// `CA`, a channel adapter, or `RNIC`, iWARP's.
    pub(super) kind: String,
    pub(super) firmware: String,
    /// /dev/infiniband/uverbs…, by which the device is used.
    pub(super) verbs: Node,
    pub(super) ports: Vec<Port>,
}

#[derive(Debug)]
pub(super) struct Port {
    pub(super) number: u32,
    /// `ACTIVE`, `DOWN`, `INIT`, `ARMED`.
    pub(super) state: String,
    /// `InfiniBand` or `Ethernet`.
    pub(super) link_layer: String,
    /// As the kernel says it: `100 Gb/sec (4X EDR)`.
    pub(super) rate: String,
    /// The network interface that it is a part of.
    pub(super) interface: Option<Interface>,
    pub(super) gids: Vec<Gid>,
}

#[derive(Debug)]
pub(super) struct Interface {
    pub(super) name: String,
    /// In bytes.
    pub(super) mtu: Option<u32>,
}

/// An address of a port.
#[derive(Debug)]
pub(super) struct Gid {
    pub(super) index: u32,
    /// One of IPv4 is shown as such.
    pub(super) address: IpAddr,
    /// `RoCE v2`, `IB/RoCE v1`, or nothing.
    pub(super) kind: String,
}

/// A file of /dev, for this user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Node {
    Absent,
    /// It is there, and may not be opened for reading and writing.
    Forbidden(PathBuf),
    Usable,
}

/// How much may be registered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LockedMemory {
    /// As much as there is: by the limit, or by a capability.
    Unlimited,
    Bytes(u64),
    /// /proc does not say.
    Unknown,
}

impl Machine {
    /// Looks below `root`, which is `/` but in tests. What cannot be read is left out.
    pub(super) fn look(root: &Path) -> Self {
        let class = root.join("sys/class/infiniband");
        Self {
            devices: names(&class)
                .into_iter()
                .map(|name| Device::look(root, name))
                .collect(),
            connection_manager: Node::look(root.join("dev/infiniband/rdma_cm")),
            locked_memory: LockedMemory::look(root),
        }
    }
}

impl Device {
    fn look(root: &Path, name: String) -> Self {
        let folder = root.join("sys/class/infiniband").join(&name);
        let ports = names(&folder.join("ports"));
        let ports = ports.iter().filter_map(|number| number.parse().ok());
        Self {
            kind: after_colon(&text(&folder.join("node_type"))),
            firmware: text(&folder.join("fw_ver")),
            verbs: verbs_of(root, &name),
            ports: ports
                .map(|number| Port::look(root, &folder, number))
                .collect(),
            name,
        }
    }
}

impl Port {
    fn look(root: &Path, device: &Path, number: u32) -> Self {
        let folder = device.join("ports").join(number.to_string());
        let attributes = folder.join("gid_attrs");
        let mut interface = None;
        let mut gids = Vec::new();
        for index in names(&folder.join("gids")) {
            let found = Gid::look(&folder, &index);
            // An entry that is not in use has an address of zeros.
            let Some(gid) = found.filter(|gid| !gid.address.is_unspecified()) else {
                continue;
            };
            let name = text(&attributes.join("ndevs").join(&index));
            if interface.is_none() && !name.is_empty() {
                interface = Some(Interface::look(root, name));
            }
            gids.push(gid);
        }
        Self {
            number,
            state: after_colon(&text(&folder.join("state"))),
            link_layer: text(&folder.join("link_layer")),
            rate: text(&folder.join("rate")),
            interface,
            gids,
        }
    }

    /// Whether it is up.
    pub(super) fn is_active(&self) -> bool {
        self.state == "ACTIVE"
    }

    /// Whether it is RoCE's: its addresses are those of an interface.
    pub(super) fn is_ethernet(&self) -> bool {
        self.link_layer == "Ethernet"
    }
}

impl Interface {
    fn look(root: &Path, name: String) -> Self {
        let mtu = text(&root.join("sys/class/net").join(&name).join("mtu"));
        Self {
            mtu: mtu.parse().ok(),
            name,
        }
    }
}

impl Gid {
    fn look(port: &Path, index: &str) -> Option<Self> {
        let address: Ipv6Addr = text(&port.join("gids").join(index)).parse().ok()?;
        Some(Self {
            index: index.parse().ok()?,
            address: match address.to_ipv4_mapped() {
                Some(address) => address.into(),
                None => address.into(),
            },
            kind: text(&port.join("gid_attrs/types").join(index)),
        })
    }

    /// What to connect to there; of link-local addresses there is none without a scope.
    pub(super) fn endpoint(&self) -> Option<String> {
        match self.address {
            IpAddr::V4(address) => Some(format!("rdma://{address}:PORT")),
            IpAddr::V6(address) if !address.is_unicast_link_local() => {
                Some(format!("rdma://[{address}]:PORT"))
            }
            IpAddr::V6(_) => None,
        }
    }
}

impl Node {
    fn look(path: PathBuf) -> Self {
        if !path.exists() {
            return Self::Absent;
        }
        match rustix::fs::access(&path, Access::READ_OK | Access::WRITE_OK) {
            Ok(()) => Self::Usable,
            Err(_) => Self::Forbidden(path),
        }
    }
}

impl LockedMemory {
    fn look(root: &Path) -> Self {
        let status = text(&root.join("proc/self/status"));
        let capabilities = after(&status, "CapEff:")
            .and_then(|digits| u64::from_str_radix(digits.split_whitespace().next()?, 16).ok());
        if capabilities.is_some_and(|set| set >> CAP_IPC_LOCK & 1 == 1) {
            return Self::Unlimited;
        }
        let limits = text(&root.join("proc/self/limits"));
        let limit = after(&limits, "Max locked memory");
        match limit.and_then(|rest| rest.split_whitespace().next()) {
            Some("unlimited") => Self::Unlimited,
            Some(bytes) => bytes.parse().map_or(Self::Unknown, Self::Bytes),
            None => Self::Unknown,
        }
    }
}

/// The node of a device's verbs.
fn verbs_of(root: &Path, device: &str) -> Node {
    let class = root.join("sys/class/infiniband_verbs");
    let its = |name: &String| text(&class.join(name).join("ibdev")) == device;
    match names(&class).into_iter().find(its) {
        Some(name) => Node::look(root.join("dev/infiniband").join(name)),
        None => Node::Absent,
    }
}

/// What is in a folder, numbers by their size.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort_by(|one, other| (one.len(), one).cmp(&(other.len(), other)));
    names
}

/// A file's contents; nothing if it cannot be read, as addresses that are not in use.
fn text(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.trim().to_owned()
}

/// `4: ACTIVE` is ACTIVE.
fn after_colon(text: &str) -> String {
    let (_, word) = text.split_once(": ").unwrap_or(("", text));
    word.to_owned()
}

/// The rest of the line that starts so.
fn after<'a>(text: &'a str, start: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(start))
}

/// Of linux/capability.h: whoever has it may lock all memory.
const CAP_IPC_LOCK: u32 = 14;
