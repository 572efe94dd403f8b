//! Who is on the other end.

use std::fs;
use std::os::unix::fs::MetadataExt;

use super::end::End;
use super::subject::Vouching;
use super::trial::Trial;
use super::verdict::{Finding, ensure};

pub(super) fn peers_have_addresses(trial: &Trial) -> Result<(), Finding> {
    let mut door = trial.listen()?;
    let (client, server) = trial.meet(&mut door)?;
    let schemes = trial.transport.schemes();
    for end in [&client, &server] {
        let peer = &end.link.peer().endpoint;
        ensure(schemes.contains(&peer.scheme()), || {
            end.finds(&format!("its peer {peer} is of another transport"))
                .to_string()
        })?;
    }
    let (peer, listener) = (&client.link.peer().endpoint, door.endpoint());
    ensure(*peer == listener, || {
        format!("connected to {listener}, the peer is called {peer}")
    })
}

pub(super) fn the_kernel_vouches_for_local_peers(trial: &Trial) -> Result<(), Finding> {
    let (client, server) = trial.pair()?;
    match trial.subject.vouching() {
        Vouching::Nobody => [&client, &server].into_iter().try_for_each(no_credentials),
        Vouching::Kernel => {
            let ours = fs::metadata("/proc/self")?.uid();
            [&client, &server]
                .into_iter()
                .try_for_each(|end| our_credentials(end, ours))
        }
    }
}

fn no_credentials(end: &End) -> Result<(), Finding> {
    match end.link.peer().credentials {
        None => Ok(()),
        Some(seen) => Err(end.finds(&format!("nobody vouches for {seen:?}"))),
    }
}

fn our_credentials(end: &End, uid: u32) -> Result<(), Finding> {
    let Some(seen) = end.link.peer().credentials else {
        return Err(end.finds("the peer has no credentials"));
    };
    let pid = std::process::id();
    if seen.uid != uid || seen.pid.is_some_and(|seen| seen != pid) {
        let text = format!("the peer is user {uid}, process {pid}, but it says {seen:?}");
        return Err(end.finds(&text));
    }
    Ok(())
}
