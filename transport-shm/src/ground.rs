//! Which processes can meet here.

use std::fs;
use std::os::unix::fs::MetadataExt;

use rustix::process::geteuid;
use salsa20::cipher::consts::U10;

/// Tells those processes apart that cannot meet: of another machine, or of its last
/// boot, another network namespace, in which names are others, or another user, who
/// is turned away. `None` where the system does not tell.
///
/// It goes to peers that may be far away, so it gives none of these away: the boot's
/// id is the key of a function that nobody turns round (HSalsa20).
pub(crate) fn common() -> Option<[u8; 16]> {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let namespace = fs::metadata("/proc/self/ns/net").ok()?.ino();
    ground(&boot, namespace, geteuid().as_raw())
}

fn ground(boot: &str, namespace: u64, user: u32) -> Option<[u8; 16]> {
    let digits = boot.trim().replace('-', "");
    let key: [u8; 32] = digits.as_bytes().try_into().ok()?;
    let mut place = *b"........\0\0\0\0shm1";
    place[..8].copy_from_slice(&namespace.to_be_bytes());
    place[8..12].copy_from_slice(&user.to_be_bytes());
    let hidden: [u8; 32] = salsa20::hsalsa::<U10>(&key.into(), &place.into()).into();
    hidden.first_chunk().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOOT: &str = "2a9ad87f-bd0d-4b37-ae3c-61a8c2b0e4d1\n";

    #[test]
    fn it_differs_with_the_boot_the_namespace_and_the_user() {
        let here = ground(BOOT, 4_026_531_840, 1000).unwrap();
        assert_eq!(ground(BOOT, 4_026_531_840, 1000), Some(here));
        let other = BOOT.replace('9', "8");
        assert_ne!(ground(&other, 4_026_531_840, 1000), Some(here));
        assert_ne!(ground(BOOT, 4_026_531_841, 1000), Some(here));
        assert_ne!(ground(BOOT, 4_026_531_840, 1001), Some(here));
    }

    #[test]
    fn a_boot_without_an_id_is_no_ground() {
        assert_eq!(ground("", 1, 1), None);
        assert_eq!(ground("2a9ad87f", 1, 1), None);
    }

    #[test]
    fn this_process_shares_its_ground_with_itself() {
        assert_eq!(common(), common());
        assert_ne!(common(), Some([0; 16]));
    }
}
