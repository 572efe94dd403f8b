//! ROUTER and SERVER: whatever peers call themselves, against a map of names.

use super::input::Input;
use super::support::Ids;
use ferromq_patterns::{
    Array, AttachError, Bucket, IdentitySlot, Named, Pattern, Peer, PeerId, Route, Router, Seed,
    Storage,
};
use std::collections::{BTreeMap, BTreeSet};

type Peers = Array<Peer<Named>, 4>;
type Buckets = Array<Bucket, 8>;

/// Target `router`: attaching, finding and losing peers by name. Settings: ROUTER
/// or SERVER, and the seed of the hash.
pub(crate) fn fuzz_router(data: &[u8]) {
    let mut input = Input::new(data);
    let (Some(server), Some(seed)) = (input.flag(), input.byte()) else {
        return;
    };
    let seed = Seed::new(seed.into(), 7);
    let end = if server {
        let server = Router::server(Peers::new(), Buckets::new(), seed);
        check(server, Names::Numbers, input)
    } else {
        // Four identities of 255 bytes take 40 slots: storage does not run out.
        let slots = Array::<IdentitySlot, 40>::new();
        let router = Router::new(Peers::new(), slots, Buckets::new(), seed);
        check(router, Names::Identities, input)
    };
    assert_eq!(end, None, "the data ends the run");
}

/// What peers are called by.
#[derive(Clone, Copy, PartialEq)]
enum Names {
    Identities,
    Numbers,
}

#[derive(Default)]
struct Model {
    names: BTreeMap<Vec<u8>, PeerId>,
    with_room: BTreeSet<PeerId>,
}

impl Model {
    /// What the machine must answer to a name; `Ok` if it is to be taken.
    fn admits(&self, names: Names, name: &[u8]) -> Result<(), AttachError> {
        let full = match self.names.len() {
            4 => Err(AttachError::Full),
            _ => Ok(()),
        };
        if names == Names::Numbers || name.is_empty() {
            return full;
        }
        match self.names.get(name) {
            _ if name.len() > 255 => Err(AttachError::IdentityTooLong { len: name.len() }),
            _ if name[0] == 0 => Err(AttachError::ReservedIdentity),
            Some(holder) => Err(AttachError::DuplicateIdentity { holder: *holder }),
            None => full,
        }
    }

    fn route(&self, name: &[u8]) -> Route {
        match self.names.get(name) {
            Some(id) if self.with_room.contains(id) => Route::Peer(*id),
            Some(id) => Route::Full(*id),
            None => Route::Unknown,
        }
    }

    fn remove(&mut self, id: PeerId) {
        self.names.retain(|_, other| *other != id);
        self.with_room.remove(&id);
    }
}

fn check<I: Storage<IdentitySlot>>(
    mut router: Router<Peers, I, Buckets>,
    names: Names,
    mut input: Input<'_>,
) -> Option<()> {
    let (mut model, mut ids) = (Model::default(), Ids::default());
    loop {
        let action = input.byte()?;
        match action % 6 {
            0 => {
                let name = name(&mut input)?;
                let expected = model.admits(names, &name);
                let answer = router.peer_attached(&name);
                assert_eq!(answer.map(|_| ()), expected, "{name:?}");
                if let Ok(id) = answer {
                    ids.add(id);
                    admit(&router, &mut model, names, &name, id);
                }
            }
            1 => {
                let name = name(&mut input)?;
                let holder = match model.admits(names, &name) {
                    Err(AttachError::DuplicateIdentity { holder }) => Some(holder),
                    _ => None,
                };
                let Ok(takeover) = router.takeover(&name) else {
                    assert!(model.admits(names, &name).is_err() && holder.is_none());
                    continue;
                };
                assert_eq!(takeover.replaced, holder);
                holder.into_iter().for_each(|id| model.remove(id));
                ids.add(takeover.peer);
                admit(&router, &mut model, names, &name, takeover.peer);
            }
            2 => {
                let id = ids.pick(input.byte()?);
                router.peer_detached(id);
                model.remove(id);
            }
            3 => {
                let id = ids.pick(input.byte()?);
                router.peer_has_room(id);
                let known = model.names.values().any(|other| *other == id);
                model.with_room.extend(known.then_some(id));
            }
            4 => {
                let id = ids.pick(input.byte()?);
                router.peer_full(id);
                model.with_room.remove(&id);
            }
            _ => {
                let name = name(&mut input)?;
                assert_eq!(router.route(&name), model.route(&name), "{name:?}");
            }
        }
        assert_eq!(router.peers(), model.names.len());
        assert_eq!(router.any_has_room(), !model.with_room.is_empty());
        for (name, id) in &model.names {
            assert_eq!(router.route(name), model.route(name), "{name:?}");
            assert_eq!(router.identity(*id, &mut [0; 255]), Some(&name[..]));
        }
    }
}

/// A new peer has the name that it asked for, or one of its own.
fn admit<I: Storage<IdentitySlot>>(
    router: &Router<Peers, I, Buckets>,
    model: &mut Model,
    names: Names,
    asked: &[u8],
    id: PeerId,
) {
    let mut out = [0; 255];
    let name = router.identity(id, &mut out).expect("attached");
    match names {
        Names::Numbers => assert!(name.len() == 4 && name != [0; 4], "{name:?}"),
        Names::Identities if asked.is_empty() => assert!(name.len() == 5 && name[0] == 0),
        Names::Identities => assert_eq!(name, asked),
    }
    let before = model.names.insert(name.to_vec(), id);
    assert_eq!(before, None, "{name:?} was given twice");
}

/// Short ones, long ones that differ at the end, and ones that are too long.
fn name(input: &mut Input<'_>) -> Option<Vec<u8>> {
    let mut name = input.bytes(6)?.to_vec();
    let stretch = match name.first() {
        Some(b'l') => 28,
        Some(b'm') => 250,
        Some(b'n') => 256,
        _ => 0,
    };
    name.splice(0..0, vec![b'l'; stretch]);
    Some(name)
}
