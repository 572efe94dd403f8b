//! ROUTER and SERVER against a map from name to peer, over every storage.

use std::collections::{HashMap, HashSet};

use ferromq_patterns::{
    Array, AttachError, Bucket, IdentitySlot, Named, Pattern, Peer, PeerId, Route, Router, Seed,
    Server, Storage,
};
use proptest::prelude::*;

use crate::support::{Chunks, Flaky, Ids, Script};

const PEERS: usize = 6;
/// Room for three of the longest identities.
const SLOTS: usize = 30;

#[derive(Clone, Debug)]
enum Event {
    Attached(Vec<u8>),
    Takeover(Vec<u8>),
    Detached(u8),
    HasRoom(u8),
    Full(u8),
    Route(Vec<u8>),
}

/// Few enough identities to meet, of all lengths around the slots' borders.
fn identity() -> impl Strategy<Value = Vec<u8>> {
    let length = prop_oneof![
        Just(0usize),
        1..4usize,
        27..30usize,
        55..58usize,
        254..258usize,
    ];
    (length, 0..3u8, prop_oneof![9 => Just(1u8), 1 => Just(0u8)]).prop_map(|(len, last, first)| {
        let mut identity = vec![7; len];
        if let Some(byte) = identity.last_mut() {
            *byte = last + 1;
        }
        if let Some(byte) = identity.first_mut() {
            *byte *= first;
        }
        identity
    })
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        6 => identity().prop_map(Event::Attached),
        2 => identity().prop_map(Event::Takeover),
        3 => any::<u8>().prop_map(Event::Detached),
        3 => any::<u8>().prop_map(Event::HasRoom),
        1 => any::<u8>().prop_map(Event::Full),
        6 => identity().prop_map(Event::Route),
    ]
}

#[derive(Default)]
struct Model {
    names: HashMap<Vec<u8>, PeerId>,
    with_room: Vec<PeerId>,
}

impl Model {
    fn detach(&mut self, id: PeerId) {
        self.names.retain(|_, holder| *holder != id);
        self.with_room.retain(|other| *other != id);
    }

    fn slots(&self) -> usize {
        self.names
            .keys()
            .filter(|name| name[0] != 0)
            .map(|name| name.len().div_ceil(28))
            .sum()
    }

    /// What attaching must answer, storage permitting.
    fn refusal(&self, identity: &[u8]) -> Option<AttachError> {
        if identity.first() == Some(&0) {
            Some(AttachError::ReservedIdentity)
        } else if identity.len() > 255 {
            Some(AttachError::IdentityTooLong {
                len: identity.len(),
            })
        } else {
            let holder = *self.names.get(identity)?;
            Some(AttachError::DuplicateIdentity { holder })
        }
    }

    fn fits(&self, identity: &[u8]) -> bool {
        self.names.len() < PEERS && self.slots() + identity.len().div_ceil(28) <= SLOTS
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Refusals {
    AtLimit,
    AnyTime,
}

fn check<P, I, B>(mut router: Router<P, I, B>, refusals: Refusals, events: &[Event])
where
    P: Storage<Peer<Named>>,
    I: Storage<IdentitySlot>,
    B: Storage<Bucket>,
{
    let (mut model, mut ids) = (Model::default(), Ids::default());
    for event in events {
        match event {
            Event::Attached(identity) => match router.peer_attached(identity) {
                Ok(id) => attached(&router, &mut model, &mut ids, id, identity),
                Err(AttachError::Full) => {
                    assert_eq!(model.refusal(identity), None);
                    assert!(refusals == Refusals::AnyTime || !model.fits(identity));
                }
                Err(error) => assert_eq!(Some(error), model.refusal(identity)),
            },
            Event::Takeover(identity) => match router.takeover(identity) {
                Ok(takeover) => {
                    assert_eq!(takeover.replaced, model.names.get(identity).copied());
                    takeover
                        .replaced
                        .into_iter()
                        .for_each(|old| model.detach(old));
                    attached(&router, &mut model, &mut ids, takeover.peer, identity);
                }
                Err(AttachError::Full) => {
                    assert_eq!(model.refusal(identity), None, "a takeover needs nothing");
                    assert!(refusals == Refusals::AnyTime || !model.fits(identity));
                }
                Err(error) => assert_eq!(Some(error), model.refusal(identity)),
            },
            Event::Detached(i) => {
                router.peer_detached(ids.pick(*i));
                model.detach(ids.pick(*i));
            }
            Event::HasRoom(i) => {
                let id = ids.pick(*i);
                router.peer_has_room(id);
                if model.names.values().any(|holder| *holder == id) {
                    model.with_room.push(id);
                }
            }
            Event::Full(i) => {
                router.peer_full(ids.pick(*i));
                model.with_room.retain(|other| *other != ids.pick(*i));
            }
            Event::Route(identity) => {
                let expected = match model.names.get(identity) {
                    None => Route::Unknown,
                    Some(id) if model.with_room.contains(id) => Route::Peer(*id),
                    Some(id) => Route::Full(*id),
                };
                assert_eq!(router.route(identity), expected);
            }
        }
        compare(&router, &model);
    }
}

/// C62: enters an attached peer, under a new five-byte name if it has none.
fn attached<P, I, B>(
    router: &Router<P, I, B>,
    model: &mut Model,
    ids: &mut Ids,
    id: PeerId,
    identity: &[u8],
) where
    P: Storage<Peer<Named>>,
    I: Storage<IdentitySlot>,
    B: Storage<Bucket>,
{
    ids.add(id);
    let mut out = [0; 255];
    let name = router.identity(id, &mut out).unwrap().to_vec();
    if identity.is_empty() {
        assert_eq!((name.len(), name[0]), (5, 0));
    } else {
        assert_eq!(name, identity);
    }
    assert_eq!(
        model.names.insert(name, id),
        None,
        "nobody else is called that"
    );
}

fn compare<P, I, B>(router: &Router<P, I, B>, model: &Model)
where
    P: Storage<Peer<Named>>,
    I: Storage<IdentitySlot>,
    B: Storage<Bucket>,
{
    assert_eq!(router.peers(), model.names.len());
    assert_eq!(router.any_has_room(), !model.with_room.is_empty());
    for (name, id) in &model.names {
        assert!(matches!(router.route(name), Route::Peer(to) | Route::Full(to) if to == *id));
        assert_eq!(router.identity(*id, &mut [0; 255]), Some(&name[..]));
    }
}

proptest! {
    // C62 to C66
    #[test]
    fn router_finds_who_is_called_that(
        events in prop::collection::vec(event(), 0..200),
        seed in any::<(u64, u64)>(),
        bits in any::<u64>(),
    ) {
        let seed = Seed::new(seed.0, seed.1);
        let arrays = Router::new(
            Array::<Peer<Named>, PEERS>::new(),
            Array::<IdentitySlot, SLOTS>::new(),
            Array::<Bucket, 2>::new(),
            seed,
        );
        check(arrays, Refusals::AtLimit, &events);
        let vectors = Router::new(
            heapless::Vec::<Peer<Named>, PEERS>::new(),
            heapless::Vec::<IdentitySlot, SLOTS>::new(),
            heapless::Vec::<Bucket, 16>::new(),
            seed,
        );
        check(vectors, Refusals::AtLimit, &events);
        let chunks = Router::new(
            Chunks::with_limit(PEERS),
            Chunks::with_limit(SLOTS),
            Chunks::<Bucket>::default(),
            seed,
        );
        check(chunks, Refusals::AtLimit, &events);
        let script = Script::new(bits);
        let flaky = Router::new(
            Flaky::new(&script),
            Flaky::new(&script),
            Flaky::<Bucket>::new(&script),
            seed,
        );
        check(flaky, Refusals::AnyTime, &events);
    }
}

/// 41/CLISRV: SERVER and PEER, with the same events but names of four bytes.
fn check_server<P, B>(mut server: Server<P, B>, refusals: Refusals, events: &[Event])
where
    P: Storage<Peer<Named>>,
    B: Storage<Bucket>,
{
    let (mut model, mut ids) = (Model::default(), Ids::default());
    let mut given = HashSet::new();
    for event in events {
        match event {
            Event::Attached(identity) | Event::Takeover(identity) => {
                match server.peer_attached(identity) {
                    Ok(id) => {
                        ids.add(id);
                        let mut out = [0; 255];
                        let name = server.identity(id, &mut out).unwrap();
                        assert!(name.len() == 4 && name != [0; 4], "{name:?}");
                        assert!(given.insert(name.to_vec()), "{name:?} comes again");
                        model.names.insert(name.to_vec(), id);
                    }
                    Err(error) => {
                        assert_eq!(error, AttachError::Full, "whatever it calls itself");
                        assert!(refusals == Refusals::AnyTime || model.names.len() == PEERS);
                    }
                }
            }
            Event::Detached(i) => {
                server.peer_detached(ids.pick(*i));
                model.detach(ids.pick(*i));
            }
            Event::HasRoom(i) => {
                let id = ids.pick(*i);
                server.peer_has_room(id);
                if model.names.values().any(|holder| *holder == id) {
                    model.with_room.push(id);
                }
            }
            Event::Full(i) => {
                server.peer_full(ids.pick(*i));
                model.with_room.retain(|other| *other != ids.pick(*i));
            }
            // Names that nobody has, of any length.
            Event::Route(identity) => assert_eq!(server.route(identity), Route::Unknown),
        }
        compare(&server, &model);
        for gone in given.iter().filter(|name| !model.names.contains_key(*name)) {
            assert_eq!(server.route(gone), Route::Unknown);
        }
    }
}

proptest! {
    #[test]
    fn server_finds_who_has_that_number(
        events in prop::collection::vec(event(), 0..200),
        seed in any::<(u64, u64)>(),
        bits in any::<u64>(),
    ) {
        let seed = Seed::new(seed.0, seed.1);
        let (peers, buckets) = (Array::<Peer<Named>, PEERS>::new(), Array::<Bucket, 2>::new());
        check_server(Router::server(peers, buckets, seed), Refusals::AtLimit, &events);
        let peers = heapless::Vec::<Peer<Named>, PEERS>::new();
        let buckets = heapless::Vec::<Bucket, 16>::new();
        check_server(Router::server(peers, buckets, seed), Refusals::AtLimit, &events);
        let (peers, buckets) = (Chunks::with_limit(PEERS), Chunks::<Bucket>::default());
        check_server(Router::server(peers, buckets, seed), Refusals::AtLimit, &events);
        let script = Script::new(bits);
        let (peers, buckets) = (Flaky::new(&script), Flaky::<Bucket>::new(&script));
        check_server(Router::server(peers, buckets, seed), Refusals::AnyTime, &events);
    }
}
