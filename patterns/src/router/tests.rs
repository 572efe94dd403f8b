use super::*;
use crate::storage::Array;
use std::vec;
use std::vec::Vec;

type Machine = Router<Array<Peer<Named>, 8>, Array<IdentitySlot, 20>, Array<Bucket, 8>>;

fn machine() -> Machine {
    Router::new(Array::new(), Array::new(), Array::new(), Seed::new(11, 13))
}

fn name(router: &Machine, id: PeerId) -> Option<Vec<u8>> {
    router.identity(id, &mut [0; 255]).map(<[u8]>::to_vec)
}

// C62
#[test]
fn anonymous_peers_get_five_bytes_of_their_own() {
    let mut router = machine();
    let ids: Vec<_> = (0..8).map(|_| router.peer_attached(b"").unwrap()).collect();
    let mut names: Vec<_> = ids.iter().map(|id| name(&router, *id).unwrap()).collect();
    for (id, name) in ids.iter().zip(&names) {
        assert_eq!((name.len(), name[0]), (5, 0));
        assert_eq!(
            router.route(name),
            Route::Full(*id),
            "new peers have no room"
        );
        router.peer_has_room(*id);
        assert_eq!(router.route(name), Route::Peer(*id));
    }
    names.dedup();
    assert_eq!(names.len(), 8);
    router.peer_detached(ids[3]);
    assert_eq!(router.route(&names[3]), Route::Unknown);
    let next = router.peer_attached(b"").unwrap();
    assert_eq!(next.index(), ids[3].index());
    assert!(
        !names.contains(&name(&router, next).unwrap()),
        "a new connection, a new name"
    );
}

// C63
#[test]
fn routes_are_peer_unknown_or_full() {
    let mut router = machine();
    let a = router.peer_attached(b"a").unwrap();
    assert!(!router.any_has_room());
    router.peer_has_room(a);
    assert!(router.any_has_room());
    assert_eq!(router.route(b"a"), Route::Peer(a));
    assert_eq!(router.route(b"b"), Route::Unknown);
    assert_eq!(router.route(b""), Route::Unknown);
    router.peer_full(a);
    assert_eq!(router.route(b"a"), Route::Full(a));
    assert!(!router.any_has_room());
}

// C64, H29
#[test]
fn the_first_keeps_its_identity() {
    let mut router = machine();
    let a = router.peer_attached(b"a").unwrap();
    assert_eq!(
        router.peer_attached(b"a"),
        Err(AttachError::DuplicateIdentity { holder: a })
    );
    assert_eq!((router.peers(), name(&router, a)), (1, Some(b"a".to_vec())));
}

// C65
#[test]
fn a_takeover_needs_no_more_storage_than_there_is() {
    let mut router = machine();
    let long = [b'x'; 28 * 9];
    let old = router.peer_attached(&long).unwrap();
    router.peer_attached(&[b'y'; 255]).unwrap();
    for _ in 2..8 {
        router.peer_attached(b"").unwrap();
    }
    assert_eq!(router.peer_attached(b"z"), Err(AttachError::Full));
    let takeover = router.takeover(&long).unwrap();
    assert_eq!(takeover.replaced, Some(old));
    assert_ne!(takeover.peer, old);
    assert_eq!(name(&router, old), None);
    assert_eq!(router.route(&long), Route::Full(takeover.peer));
    assert_eq!(router.takeover(b"z"), Err(AttachError::Full));
    router.peer_detached(takeover.peer);
    let fresh = router.takeover(b"z").unwrap();
    assert_eq!(
        fresh,
        Takeover {
            peer: fresh.peer,
            replaced: None
        }
    );
}

// C66
#[test]
fn reserved_and_overlong_identities_are_refused() {
    let mut router = machine();
    for bad in [&b"\0"[..], b"\0abcd"] {
        assert_eq!(
            router.peer_attached(bad),
            Err(AttachError::ReservedIdentity)
        );
        assert_eq!(router.takeover(bad), Err(AttachError::ReservedIdentity));
    }
    let error = Err(AttachError::IdentityTooLong { len: 256 });
    assert_eq!(router.peer_attached(&[b'x'; 256]), error);
    let id = router.peer_attached(&[b'x'; 255]).unwrap();
    assert_eq!(name(&router, id), Some(vec![b'x'; 255]));
}

// C68
#[test]
fn an_identity_given_to_a_connection_routes_at_once() {
    let mut router = machine();
    let id = router.peer_attached(b"chosen here").unwrap();
    router.peer_has_room(id);
    assert_eq!(router.route(b"chosen here"), Route::Peer(id));
    assert!(router.peer_attached(b"chosen here").is_err());
}

#[test]
fn full_storage_changes_nothing() {
    let mut router = machine();
    let ids: Vec<_> = (1..=2u8)
        .map(|i| router.peer_attached(&[i; 255]).unwrap())
        .collect();
    for _ in 0..100 {
        assert_eq!(
            router.peer_attached(&[9; 100]),
            Err(AttachError::Full),
            "20 slots are out"
        );
    }
    assert_eq!(router.peers(), 2);
    router.peer_detached(ids[0]);
    assert!(router.peer_attached(&[9; 255]).is_ok());
    assert_eq!(router.route(&[2; 255]), Route::Full(ids[1]));
}

// H79
#[test]
fn a_seed_moves_every_identity_to_another_bucket() {
    let names: Vec<Vec<u8>> = (0..64u8).map(|i| vec![i + 1; 9]).collect();
    let bucket = |seed: Seed, name: &[u8]| seed.hash_bytes(name) & 7;
    let crowd: Vec<_> = names
        .iter()
        .filter(|n| bucket(Seed::new(1, 2), n) == 0)
        .collect();
    assert!(crowd.len() > 3, "names chosen to collide under one seed");
    let first = bucket(Seed::new(3, 4), crowd[0]);
    assert!(
        crowd
            .iter()
            .any(|name| bucket(Seed::new(3, 4), name) != first)
    );
}
