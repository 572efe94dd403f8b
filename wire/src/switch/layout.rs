//! XFERRO and SWITCH, byte for byte (docs/PROTOCOL.md, Extensions).

use core::net::{IpAddr, Ipv6Addr, SocketAddr};

use zerocopy::byteorder::big_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::{Introduction, SwitchError, SwitchReason};
use crate::Features;
use crate::checksum::{self, Checksums};
use crate::frame::{FrameFlags, Header, References, TRAILER_LEN, Trailer, read_header};

const XFERRO: &[u8; 6] = b"XFERRO";
const SWITCH: &[u8; 6] = b"SWITCH";

/// The version of all layouts.
const VERSION: u16 = 1;

/// The step that has an address on a fabric.
const READY: u8 = 1;

/// The longest of our frames: header, name, XFERRO's data, trailer.
pub(super) const FRAME_MAX: usize = 2 + NAME_LEN + size_of::<FabricLayout>() + TRAILER_LEN;

/// The length of a name, and a name of six letters.
const NAME_LEN: usize = 7;

/// What one frame says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    Introduction(Introduction),
    /// The listener waits at the place, which has this address on a fabric.
    Ready(Option<SocketAddr>),
    Go,
    Stay(SwitchReason),
}

/// The data of XFERRO.
#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct IntroductionLayout {
    version: U16,
    reserved: [u8; 2],
    /// What the rest is for.
    extension: U32,
    host: [u8; 16],
    label: [u8; 16],
    secret: [u8; 32],
}

/// The data of XFERRO where a fabric may be the path.
#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct FabricLayout {
    introduction: IntroductionLayout,
    fabric: [u8; 16],
}

/// The data of SWITCH.
#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct StepLayout {
    step: u8,
    reason: u8,
    reserved: [u8; 6],
}

/// The data of SWITCH that says where on a fabric the listener waits.
#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct PlaceLayout {
    step: u8,
    reason: u8,
    port: U16,
    reserved: [u8; 4],
    /// Of IPv4 the mapped one (RFC 4291, 2.5.5.2).
    address: [u8; 16],
}

const _: () = assert!(size_of::<IntroductionLayout>() == 72);
const _: () = assert!(size_of::<FabricLayout>() == 88);
const _: () = assert!(size_of::<StepLayout>() == 8);
const _: () = assert!(size_of::<PlaceLayout>() == 24);

impl Word {
    /// Writes the whole frame to the start of `out`; its length. `features` are those
    /// that are on.
    pub(super) fn encode(self, features: Features, out: &mut [u8; FRAME_MAX]) -> usize {
        let checksums = Checksums::from(features);
        let (step, reason) = match self {
            Self::Introduction(introduction) => {
                let data = FabricLayout::of(introduction, features);
                return match has_fabric(features) {
                    true => frame(XFERRO, data.as_bytes(), checksums, out),
                    false => frame(XFERRO, data.introduction.as_bytes(), checksums, out),
                };
            }
            Self::Ready(Some(at)) => {
                let data = PlaceLayout::of(at);
                return frame(SWITCH, data.as_bytes(), checksums, out);
            }
            Self::Ready(None) => (READY, 0),
            Self::Go => (2, 0),
            Self::Stay(reason) => (3, reason.code()),
        };
        let data = StepLayout {
            step,
            reason,
            reserved: [0; 6],
        };
        frame(SWITCH, data.as_bytes(), checksums, out)
    }

    /// The frame at the start of `input` and its length; `None` while it is
    /// incomplete.
    pub(super) fn decode(
        input: &[u8],
        features: Features,
    ) -> Result<Option<(Self, usize)>, SwitchError> {
        let Some(header) = read_header(input, References::Off)? else {
            return Ok(None);
        };
        let stray = SwitchError::Stray {
            flags: header.flags.bits(),
            len: header.body_len,
        };
        // What is longer is none of these, and not waited for.
        let body_len = match usize::try_from(header.body_len) {
            Ok(len) if header.flags.is_command() && len <= FRAME_MAX => len,
            _ => return Err(stray),
        };
        let end = header.header_len.saturating_add(body_len);
        let (Some(covered), Some(body)) = (input.get(..end), input.get(header.header_len..end))
        else {
            return Ok(None);
        };
        let mut total = end;
        if Checksums::from(features) == Checksums::On {
            let tail = input.get(end..).unwrap_or_default();
            let Some(trailer) = tail.first_chunk::<TRAILER_LEN>() else {
                return Ok(None);
            };
            checksum::verify(checksum::of(covered), *trailer)?;
            total = end.saturating_add(TRAILER_LEN);
        }
        let word = Self::read(body, features).ok_or(stray)?;
        Ok(Some((word, total)))
    }

    /// Reads the body of a command.
    fn read(body: &[u8], features: Features) -> Option<Self> {
        let (&name_len, rest) = body.split_first()?;
        let (name, data) = rest.split_at_checked(usize::from(name_len))?;
        if name == XFERRO {
            return FabricLayout::read(data, features).map(Self::Introduction);
        }
        if name != SWITCH {
            return None;
        }
        if has_fabric(features)
            && let Ok(data) = PlaceLayout::read_from_bytes(data)
        {
            return (data.step == READY).then(|| Self::Ready(Some(data.at())));
        }
        let data = StepLayout::read_from_bytes(data).ok()?;
        match data.step {
            READY => Some(Self::Ready(None)),
            2 => Some(Self::Go),
            3 => Some(Self::Stay(SwitchReason::of(data.reason))),
            _ => None,
        }
    }
}

impl FabricLayout {
    fn of(introduction: Introduction, features: Features) -> Self {
        Self {
            introduction: IntroductionLayout {
                version: VERSION.into(),
                reserved: [0; 2],
                extension: purpose(features).bits().into(),
                host: introduction.host,
                label: introduction.label,
                secret: introduction.secret,
            },
            fabric: introduction.fabric,
        }
    }

    /// The data of XFERRO, as long as it is to be.
    fn read(data: &[u8], features: Features) -> Option<Introduction> {
        let (data, fabric) = match has_fabric(features) {
            true => {
                let data = Self::read_from_bytes(data).ok()?;
                (data.introduction, data.fabric)
            }
            false => (IntroductionLayout::read_from_bytes(data).ok()?, [0; 16]),
        };
        let is_ours = data.version.get() == VERSION
            && Features::from_bits(data.extension.get()) == purpose(features);
        is_ours.then_some(Introduction {
            host: data.host,
            fabric,
            label: data.label,
            secret: data.secret,
        })
    }
}

impl PlaceLayout {
    fn of(at: SocketAddr) -> Self {
        let address = match at.ip() {
            IpAddr::V4(address) => address.to_ipv6_mapped(),
            IpAddr::V6(address) => address,
        };
        Self {
            step: READY,
            reason: 0,
            port: at.port().into(),
            reserved: [0; 4],
            address: address.octets(),
        }
    }

    fn at(&self) -> SocketAddr {
        let address = Ipv6Addr::from(self.address).to_canonical();
        SocketAddr::new(address, self.port.get())
    }
}

/// Whether a fabric may be the path.
pub(super) fn has_fabric(features: Features) -> bool {
    features.contains(Features::FABRIC)
}

/// What XFERRO is for, where these are on.
fn purpose(features: Features) -> Features {
    Features::SWITCH | (features & Features::FABRIC)
}

/// Writes a command of this name; all lengths are known to fit.
fn frame(name: &[u8; 6], data: &[u8], checksums: Checksums, out: &mut [u8; FRAME_MAX]) -> usize {
    let body_len = data.len().saturating_add(NAME_LEN);
    let header = Header::new(FrameFlags::COMMAND, body_len as u64);
    let covered = put(out, 0, header.as_ref());
    let covered = put(out, covered, &[name.len() as u8]);
    let covered = put(out, covered, name);
    let covered = put(out, covered, data);
    match checksums {
        Checksums::Off => covered,
        Checksums::On => {
            let checksum = checksum::of(out.get(..covered).unwrap_or_default());
            put(out, covered, Trailer::new(checksum).as_ref())
        }
    }
}

/// Copies `bytes` to `at`; where they end.
fn put(out: &mut [u8], at: usize, bytes: &[u8]) -> usize {
    let end = at.saturating_add(bytes.len());
    if let Some(slot) = out.get_mut(at..end) {
        slot.copy_from_slice(bytes);
    }
    end
}
