//! ROUTER's identities: who is called what.

use crate::hash::Seed;
use crate::pattern::AttachError;
use crate::peer::{Peer, PeerId, PeerTable};
use crate::slab::{NIL, Slab, Slot};
use crate::storage::Storage;
use crate::table::{Bucket, Chained, End, Table};

/// The longest identity, in bytes (37/ZMTP, 28/REQREP).
pub const MAX_IDENTITY_LEN: usize = 255;

/// 32 bytes of a ROUTER's identity storage: a link and 28 bytes of an identity.
///
/// Opaque; it is public so that a storage can be named.
#[derive(Clone, Copy, Debug)]
pub struct IdentitySlot {
    next: u32,
    bytes: [u8; SLOT_LEN],
}

const SLOT_LEN: usize = 28;
const _: () = assert!(size_of::<IdentitySlot>() == 32);

impl Default for IdentitySlot {
    fn default() -> Self {
        Self {
            next: NIL,
            bytes: [0; SLOT_LEN],
        }
    }
}

impl Slot for IdentitySlot {
    fn free_next(&self) -> u32 {
        self.next
    }

    fn set_free(&mut self, next: u32) {
        self.next = next;
    }
}

/// What a ROUTER knows of a peer: its identity.
#[derive(Clone, Copy, Debug)]
pub struct Named {
    /// Next peer in the same hash chain.
    chain: u32,
    hash: u32,
    name: Name,
}

#[derive(Clone, Copy, Debug)]
enum Name {
    /// 00 and this number, big-endian: computed, not stored.
    Generated(u32),
    /// Bytes in a chain of slots.
    Chosen { len: u8, first: u32 },
}

impl Default for Named {
    fn default() -> Self {
        Self {
            chain: NIL,
            hash: 0,
            name: Name::Generated(0),
        }
    }
}

/// Identity bytes and the hash table from identity to peer.
#[derive(Debug)]
pub(crate) struct Identities<I, B> {
    slots: Slab<I, IdentitySlot>,
    table: Table<B>,
    seed: Seed,
    /// Number of the next generated identity.
    serial: u32,
}

impl<I: Storage<IdentitySlot>, B: Storage<Bucket>> Identities<I, B> {
    pub(crate) fn new(slots: I, buckets: B, seed: Seed) -> Self {
        // Starting anywhere keeps a restarted router from answering to old ids.
        let serial = seed.hash_bytes(b"generated identities");
        Self {
            slots: Slab::new(slots),
            table: Table::new(buckets),
            seed,
            serial,
        }
    }

    /// The peer with this identity. Expected O(1).
    #[inline]
    pub(crate) fn find<P: Storage<Peer<Named>>>(
        &self,
        peers: &PeerTable<P, Named>,
        identity: &[u8],
    ) -> Option<PeerId> {
        let hash = self.hash(identity);
        let mut at = self.table.first(hash);
        while let Some(named) = peers.data_at(at) {
            if named.hash == hash && self.is_called(named, identity) {
                return peers.id_at(at);
            }
            at = named.chain;
        }
        None
    }

    /// Attaches a peer under `identity`, or a generated one if that is empty.
    pub(crate) fn attach<P: Storage<Peer<Named>>>(
        &mut self,
        peers: &mut PeerTable<P, Named>,
        identity: &[u8],
    ) -> Result<PeerId, AttachError> {
        check(identity)?;
        if let Some(holder) = self.find(peers, identity) {
            return Err(AttachError::DuplicateIdentity { holder });
        }
        peers.reserve()?;
        self.table.reserve()?;
        self.slots
            .reserve(identity.len().div_ceil(SLOT_LEN) as u32)?;
        let name = if identity.is_empty() {
            self.generate(peers)
        } else {
            self.store(identity)
        };
        let hash = match name {
            Name::Generated(serial) => self.hash(&generated(serial)),
            Name::Chosen { .. } => self.hash(identity),
        };
        let id = peers.attach(Named {
            chain: NIL,
            hash,
            name,
        })?;
        self.table.insert(&mut Chain(peers), id.slot(), End::Front);
        Ok(id)
    }

    /// Forgets a peer's identity; the caller detaches the peer.
    pub(crate) fn forget<P: Storage<Peer<Named>>>(
        &mut self,
        peers: &mut PeerTable<P, Named>,
        id: PeerId,
    ) {
        let Some(named) = peers.get(id).copied() else {
            return;
        };
        self.table.remove(&mut Chain(peers), id.slot());
        let Name::Chosen { first, .. } = named.name else {
            return;
        };
        let mut at = first;
        while let Some(slot) = self.slots.get(at) {
            let next = slot.next;
            self.slots.free(at);
            at = next;
        }
    }

    /// Writes a peer's identity into `out` and returns that part of it.
    #[inline]
    pub(crate) fn write<'o>(&self, named: &Named, out: &'o mut [u8; MAX_IDENTITY_LEN]) -> &'o [u8] {
        let Name::Chosen { len, first } = named.name else {
            let Name::Generated(serial) = named.name else {
                return &[];
            };
            out[..GENERATED_LEN].copy_from_slice(&generated(serial));
            return &out[..GENERATED_LEN];
        };
        let mut at = first;
        for piece in out[..usize::from(len)].chunks_mut(SLOT_LEN) {
            let Some(slot) = self.slots.get(at) else {
                break;
            };
            piece.copy_from_slice(&slot.bytes[..piece.len()]);
            at = slot.next;
        }
        &out[..usize::from(len)]
    }

    fn is_called(&self, named: &Named, identity: &[u8]) -> bool {
        match named.name {
            Name::Generated(serial) => identity == generated(serial),
            Name::Chosen { len, .. } if usize::from(len) != identity.len() => false,
            Name::Chosen { first, .. } => {
                let mut at = first;
                identity.chunks(SLOT_LEN).all(|piece| {
                    let Some(slot) = self.slots.get(at) else {
                        return false;
                    };
                    at = slot.next;
                    slot.bytes[..piece.len()] == *piece
                })
            }
        }
    }

    /// The next number that no live peer has: more than one step only after
    /// 2^32 connections.
    fn generate<P: Storage<Peer<Named>>>(&mut self, peers: &PeerTable<P, Named>) -> Name {
        loop {
            // Zero is no routing id (41/CLISRV).
            let serial = self.serial.max(1);
            self.serial = serial.wrapping_add(1);
            if self.find(peers, &generated(serial)).is_none() {
                return Name::Generated(serial);
            }
        }
    }

    /// Stores an identity in slots that the caller has reserved, last piece first.
    fn store(&mut self, identity: &[u8]) -> Name {
        let mut first = NIL;
        for piece in identity.chunks(SLOT_LEN).rev() {
            let Some(at) = self.slots.take() else { break };
            if let Some(slot) = self.slots.get_mut(at) {
                slot.next = first;
                slot.bytes[..piece.len()].copy_from_slice(piece);
            }
            first = at;
        }
        Name::Chosen {
            len: identity.len() as u8,
            first,
        }
    }

    #[inline]
    fn hash(&self, identity: &[u8]) -> u32 {
        match identity {
            // Nobody chooses these, so they need no strong hash.
            &[0, a, b, c, d] => self.seed.hash_word(u32::from_be_bytes([a, b, c, d]).into()),
            _ => self.seed.hash_bytes(identity),
        }
    }
}

/// The peers as items of the hash table.
struct Chain<'a, P>(&'a mut PeerTable<P, Named>);

impl<P: Storage<Peer<Named>>> Chained for Chain<'_, P> {
    fn hash(&self, item: u32) -> u32 {
        self.0.data_at(item).map_or(0, |named| named.hash)
    }

    fn chain(&self, item: u32) -> u32 {
        self.0.data_at(item).map_or(NIL, |named| named.chain)
    }

    fn set_chain(&mut self, item: u32, next: u32) {
        if let Some(named) = self.0.data_at_mut(item) {
            named.chain = next;
        }
    }
}

/// Whether a peer or an application may choose this identity (28/REQREP).
fn check(identity: &[u8]) -> Result<(), AttachError> {
    match identity {
        [0, ..] => Err(AttachError::ReservedIdentity),
        _ if identity.len() > MAX_IDENTITY_LEN => Err(AttachError::IdentityTooLong {
            len: identity.len(),
        }),
        _ => Ok(()),
    }
}

#[inline]
fn generated(serial: u32) -> [u8; GENERATED_LEN] {
    let [a, b, c, d] = serial.to_be_bytes();
    [0, a, b, c, d]
}

const GENERATED_LEN: usize = 5;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::Array;

    // 41/CLISRV: a routing id is not zero.
    #[test]
    fn generated_numbers_go_around_zero() {
        let mut peers = PeerTable::new(Array::<Peer<Named>, 2>::new());
        let slots = Array::<IdentitySlot, 0>::new();
        let mut identities = Identities::new(slots, Array::<Bucket, 2>::new(), Seed::new(1, 2));
        identities.serial = u32::MAX;
        let mut names = [[0; MAX_IDENTITY_LEN]; 2];
        for name in &mut names {
            let id = identities.attach(&mut peers, b"").unwrap();
            identities.write(peers.get(id).unwrap(), name);
        }
        assert_eq!(names.map(|name| [name[1], name[4]]), [[255, 255], [0, 1]]);
    }

    type Table = Identities<Array<IdentitySlot, 4>, Array<Bucket, 4>>;

    fn identities() -> (Table, PeerTable<Array<Peer<Named>, 4>, Named>) {
        let (slots, buckets) = (Array::new(), Array::new());
        let identities = Identities::new(slots, buckets, Seed::new(1, 2));
        (identities, PeerTable::new(Array::new()))
    }

    /// Two names with one hash, which somebody who knows the seed can find.
    fn colliding(identities: &Table) -> [std::string::String; 2] {
        let mut seen = std::collections::HashMap::new();
        (0_u32..)
            .find_map(|number| {
                let name = std::format!("name {number}");
                let earlier = seen.insert(identities.hash(name.as_bytes()), name.clone());
                earlier.map(|earlier| [earlier, name])
            })
            .unwrap()
    }

    #[test]
    fn names_of_one_hash_are_told_apart() {
        let (mut identities, mut peers) = identities();
        let [a, b] = colliding(&identities);
        let first = identities.attach(&mut peers, a.as_bytes()).unwrap();
        assert_eq!(identities.find(&peers, b.as_bytes()), None);
        let second = identities.attach(&mut peers, b.as_bytes()).unwrap();
        assert_eq!(identities.find(&peers, a.as_bytes()), Some(first));
        assert_eq!(identities.find(&peers, b.as_bytes()), Some(second));
    }

    #[test]
    fn names_given_and_chosen_have_hashes_of_their_own() {
        let (identities, _) = identities();
        let mut hashes = std::collections::HashSet::new();
        for number in 1..=1_000 {
            hashes.insert(identities.hash(&generated(number)));
            hashes.insert(identities.hash(std::format!("name {number}").as_bytes()));
        }
        // 2,000 of 2^32 meet once in 2,147 seeds.
        assert!(hashes.len() >= 1_998, "{} of 2,000", hashes.len());
    }
}
