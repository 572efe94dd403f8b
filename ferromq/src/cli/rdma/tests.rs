//! Over trees of files as the kernel has them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tempfile::TempDir;

use super::machine::Machine;
use super::{findings, print};

/// A machine with a RoCE card that has nothing wrong.
fn healthy() -> TempDir {
    let root = tempfile::tempdir().unwrap();
    let files = [
        ("sys/class/infiniband/mlx5_0/node_type", "1: CA\n"),
        ("sys/class/infiniband/mlx5_0/fw_ver", "16.35.2000\n"),
        ("sys/class/infiniband_verbs/uverbs0/ibdev", "mlx5_0\n"),
        ("sys/class/infiniband_verbs/abi_version", "6\n"),
        ("sys/class/net/eth0/mtu", "9000\n"),
        ("dev/infiniband/rdma_cm", ""),
        ("dev/infiniband/uverbs0", ""),
        (
            "proc/self/status",
            "Name:\tferromq\nCapEff:\t0000000000000000\n",
        ),
        (
            "proc/self/limits",
            "Max locked memory         unlimited            unlimited            bytes\n",
        ),
    ];
    let port = [
        ("state", "4: ACTIVE\n"),
        ("link_layer", "Ethernet\n"),
        ("rate", "100 Gb/sec (4X EDR)\n"),
        ("gids/0", "fe80:0000:0000:0000:3cd5:04ff:fe9b:e88d\n"),
        ("gids/1", "0000:0000:0000:0000:0000:ffff:0a02:0001\n"),
        ("gids/2", "0000:0000:0000:0000:0000:0000:0000:0000\n"),
        ("gids/10", "fd00:0000:0000:0000:0000:0000:0000:0001\n"),
        ("gid_attrs/types/0", "IB/RoCE v1\n"),
        ("gid_attrs/types/1", "RoCE v2\n"),
        ("gid_attrs/types/10", "RoCE v2\n"),
        ("gid_attrs/ndevs/0", "eth0\n"),
        ("gid_attrs/ndevs/1", "eth0\n"),
    ];
    for (path, text) in files {
        write(root.path(), path, text);
    }
    for (path, text) in port {
        write(root.path(), &format!("{PORT}/{path}"), text);
    }
    root
}

const PORT: &str = "sys/class/infiniband/mlx5_0/ports/1";

fn write(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn printed(root: &Path) -> String {
    let mut out = Vec::new();
    print(&Machine::look(root), &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// What is found wrong after a file has this text; the port can be used no more.
fn broken(path: &str, text: &str) -> String {
    let root = healthy();
    write(root.path(), path, text);
    let machine = Machine::look(root.path());
    assert!(!findings::is_usable(&machine));
    findings::wrong(&machine).join("\n")
}

#[test]
fn what_is_there_is_a_line_each() {
    let root = healthy();
    assert_eq!(
        printed(root.path()),
        "device mlx5_0: CA, firmware 16.35.2000\n\
         port mlx5_0/1: ACTIVE, Ethernet, 100 Gb/sec (4X EDR), eth0 with an MTU of 9000 bytes\n\
         gid mlx5_0/1/0: fe80::3cd5:4ff:fe9b:e88d, IB/RoCE v1\n\
         gid mlx5_0/1/1: 10.2.0.1, RoCE v2, rdma://10.2.0.1:PORT\n\
         gid mlx5_0/1/10: fd00::1, RoCE v2, rdma://[fd00::1]:PORT\n"
    );
    assert!(findings::is_usable(&Machine::look(root.path())));
}

#[test]
fn without_a_device_it_says_what_to_load() {
    let root = tempfile::tempdir().unwrap();
    let printed = printed(root.path());
    assert!(
        printed.starts_with("wrong: no RDMA device: modprobe"),
        "{printed}"
    );
    assert_eq!(printed.lines().count(), 1);
    assert!(!findings::is_usable(&Machine::look(root.path())));
}

#[test]
fn modules_that_are_not_loaded_are_named() {
    let root = healthy();
    fs::remove_dir_all(root.path().join("dev")).unwrap();
    fs::remove_dir_all(root.path().join("sys/class/infiniband_verbs")).unwrap();
    let machine = Machine::look(root.path());
    let wrong = findings::wrong(&machine);
    assert_eq!(wrong.len(), 2);
    assert!(wrong[0].ends_with("modprobe rdma_ucm"), "{wrong:?}");
    assert!(wrong[1].ends_with("modprobe ib_uverbs"), "{wrong:?}");
    assert!(!findings::is_usable(&machine));
}

#[test]
fn a_node_that_may_not_be_opened_is_named() {
    let root = healthy();
    let node = root.path().join("dev/infiniband/uverbs0");
    fs::set_permissions(&node, fs::Permissions::from_mode(0o000)).unwrap();
    let machine = Machine::look(root.path());
    // Root may open everything: then there is nothing to find.
    let forbidden = fs::File::open(&node).is_err();
    let wrong = findings::wrong(&machine);
    assert_eq!(
        wrong.iter().any(|line| line.contains("uverbs0 may not")),
        forbidden
    );
    assert_eq!(findings::is_usable(&machine), !forbidden);
}

#[test]
fn a_port_that_is_down_is_named_with_what_helps() {
    let down = broken(&format!("{PORT}/state"), "1: DOWN\n");
    assert_eq!(
        down,
        "mlx5_0/1: it is DOWN: ip link set eth0 up, or the cable"
    );
    let root = healthy();
    write(root.path(), &format!("{PORT}/link_layer"), "InfiniBand\n");
    write(root.path(), &format!("{PORT}/state"), "2: INIT\n");
    let wrong = findings::wrong(&Machine::look(root.path()));
    assert!(wrong[0].contains("opensm"), "{wrong:?}");
}

#[test]
fn a_port_without_an_address_is_named() {
    let root = healthy();
    let zeros = "0000:0000:0000:0000:0000:0000:0000:0000\n";
    write(root.path(), &format!("{PORT}/gids/10"), zeros);
    write(root.path(), &format!("{PORT}/gids/1"), zeros);
    let machine = Machine::look(root.path());
    let wrong = findings::wrong(&machine);
    assert_eq!(
        wrong,
        ["mlx5_0/1: no IP address: ip addr add ADDRESS/24 dev eth0"]
    );
    assert!(!findings::is_usable(&machine));
}

#[test]
fn little_locked_memory_is_wrong_unless_one_is_privileged() {
    let root = healthy();
    let limits = "Max locked memory         8388608              8388608              bytes\n";
    write(root.path(), "proc/self/limits", limits);
    let wrong = findings::wrong(&Machine::look(root.path()));
    assert!(
        wrong[0].starts_with("locked memory is limited to 8192 KiB"),
        "{wrong:?}"
    );
    write(
        root.path(),
        "proc/self/status",
        "CapEff:\t0000000000004000\n",
    );
    assert!(findings::wrong(&Machine::look(root.path())).is_empty());
}

#[test]
fn small_packets_and_old_roce_are_noted() {
    let root = healthy();
    write(root.path(), "sys/class/net/eth0/mtu", "1500\n");
    for index in [1, 10] {
        write(
            root.path(),
            &format!("{PORT}/gid_attrs/types/{index}"),
            "IB/RoCE v1\n",
        );
    }
    let machine = Machine::look(root.path());
    assert!(findings::wrong(&machine).is_empty());
    let notes = findings::notes(&machine);
    assert!(notes[0].contains("makes packets of 1024"), "{notes:?}");
    assert!(notes[1].contains("no router"), "{notes:?}");
}
