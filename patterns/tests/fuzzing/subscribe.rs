//! XSUB, SUB and DISH: topics that come and go, and what publishers send, against
//! a map of counts.

use super::input::Input;
use super::support::{Chunks, Ids};
use ferromq_patterns::{
    Accept, Array, Bucket, GroupError, Matching, Node, NotSubscribed, Pattern, Peer, PeerId,
    Publisher, Reason, ResendCursor, Seed, Sub, SubscribeError, TopicStep, TopicStorage, Upstream,
    XSub,
};
use std::collections::{BTreeMap, BTreeSet};

type Peers = Array<Peer<Publisher>, 2>;
type Nodes = Chunks<Node>;
type Buckets = Chunks<Bucket>;

/// Target `subscribe`. Settings: XSUB, SUB, SUB with inverted matching, DISH.
pub(crate) fn fuzz_subscribe(data: &[u8]) {
    let mut input = Input::new(data);
    let Some(kind) = input.byte() else { return };
    let topics = TopicStorage::<Nodes, Buckets>::default();
    let (peers, seed) = (Peers::new(), Seed::new(5, 6));
    let sub = |matching, topics, peers| Sub::new(peers, topics, matching, seed);
    let end = match kind % 4 {
        0 => check(XSub::new(peers, topics, seed), None, input),
        1 => check_sub(
            sub(Matching::Prefix, topics, peers),
            Matching::Prefix,
            input,
        ),
        2 => check_sub(
            sub(Matching::Inverted, topics, peers),
            Matching::Inverted,
            input,
        ),
        _ => check_sub(sub(Matching::Exact, topics, peers), Matching::Exact, input),
    };
    assert_eq!(end, None, "the data ends the run");
}

fn check_sub(sub: Sub<Peers, Nodes, Buckets>, by: Matching, input: Input<'_>) -> Option<()> {
    check(sub, Some(by), input)
}

/// What XSUB and SUB have besides [`Pattern`].
trait Subscribes: Pattern {
    fn subscribe(&mut self, topic: &[u8]) -> Result<Upstream, SubscribeError>;
    fn unsubscribe(&mut self, topic: &[u8]) -> Result<Upstream, NotSubscribed>;
    fn poll(&self, cursor: &mut ResendCursor, out: &mut [u8]) -> Option<TopicStep>;
    fn subscriptions(&self) -> u32;
}

macro_rules! subscribes {
    ($($machine:ident),*) => {$(
        impl Subscribes for $machine<Peers, Nodes, Buckets> {
            fn subscribe(&mut self, topic: &[u8]) -> Result<Upstream, SubscribeError> {
                self.subscribe(topic)
            }

            fn unsubscribe(&mut self, topic: &[u8]) -> Result<Upstream, NotSubscribed> {
                self.unsubscribe(topic)
            }

            fn poll(&self, cursor: &mut ResendCursor, out: &mut [u8]) -> Option<TopicStep> {
                self.poll_subscription(cursor, out)
            }

            fn subscriptions(&self) -> u32 {
                self.subscriptions()
            }
        }
    )*};
}

subscribes!(XSub, Sub);

#[derive(Default)]
struct Model {
    counts: BTreeMap<Vec<u8>, u32>,
    /// Peers, and whether they are in the middle of a message.
    peers: BTreeMap<PeerId, bool>,
}

impl Model {
    fn subscribe(&mut self, topic: &[u8], exact: bool) -> Result<Upstream, SubscribeError> {
        let zero = topic.iter().position(|byte| *byte == 0);
        match (exact, zero) {
            (true, _) if topic.len() > 255 => {
                return Err(GroupError::TooLong { len: topic.len() }.into());
            }
            (true, Some(at)) => return Err(GroupError::ZeroByte { at }.into()),
            _ => {}
        }
        let count = self.counts.entry(topic.to_vec()).or_default();
        if exact && *count > 0 {
            return Err(SubscribeError::Joined);
        }
        *count += 1;
        Ok(notify_if(*count == 1))
    }

    fn unsubscribe(&mut self, topic: &[u8]) -> Result<Upstream, NotSubscribed> {
        let count = self.counts.get_mut(topic).ok_or(NotSubscribed)?;
        *count -= 1;
        let last = *count == 0;
        if last {
            self.counts.remove(topic);
        }
        Ok(notify_if(last))
    }

    fn accept(&mut self, id: PeerId, frame: &[u8], more: bool, by: Option<Matching>) -> Accept {
        let Some(in_message) = self.peers.get_mut(&id) else {
            return Accept::Refuse(Reason::UnknownPeer);
        };
        let first = !std::mem::replace(in_message, more);
        let prefixed = self.counts.keys().any(|topic| frame.starts_with(topic));
        let refusal = match by {
            Some(Matching::Exact) if first != more => Some(Reason::WrongParts),
            Some(_) if !first => None,
            Some(Matching::Exact) if self.counts.contains_key(frame) => None,
            Some(Matching::Prefix) if prefixed => None,
            Some(Matching::Inverted) if !prefixed => None,
            Some(_) => Some(Reason::NotSubscribed),
            None => None,
        };
        if refusal.is_some() {
            *in_message = false;
        }
        refusal.map_or(Accept::Deliver, Accept::Refuse)
    }
}

fn notify_if(edge: bool) -> Upstream {
    match edge {
        true => Upstream::Notify,
        false => Upstream::Silent,
    }
}

fn check<M: Subscribes>(mut machine: M, by: Option<Matching>, mut input: Input<'_>) -> Option<()> {
    let (mut model, mut ids) = (Model::default(), Ids::default());
    loop {
        match input.byte()? % 8 {
            0 => match machine.peer_attached(b"") {
                Ok(id) => {
                    ids.add(id);
                    model.peers.insert(id, false);
                }
                Err(_) => assert_eq!(model.peers.len(), 2),
            },
            1 => {
                let id = ids.pick(input.byte()?);
                machine.peer_detached(id);
                model.peers.remove(&id);
            }
            2 => {
                let id = ids.pick(input.byte()?);
                machine.link_lost(id);
                model.peers.entry(id).and_modify(|in_it| *in_it = false);
            }
            3 | 4 => {
                let topic = input.topic()?;
                let expected = model.subscribe(&topic, by == Some(Matching::Exact));
                assert_eq!(machine.subscribe(&topic), expected, "{topic:?}");
            }
            5 => {
                let topic = input.topic()?;
                let expected = model.unsubscribe(&topic);
                assert_eq!(machine.unsubscribe(&topic), expected, "{topic:?}");
            }
            6 => check_resending(&machine, &model),
            _ => {
                let id = ids.pick(input.byte()?);
                let (frame, more) = (input.topic()?, input.flag()?);
                let expected = model.accept(id, &frame, more, by);
                assert_eq!(machine.accept(id, &frame[..], more), expected);
            }
        }
        assert_eq!(machine.subscriptions() as usize, model.counts.len());
    }
}

/// A new connection is sent every topic, once.
fn check_resending<M: Subscribes>(machine: &M, model: &Model) {
    let (mut cursor, mut out) = (ResendCursor::new(), [0; 400]);
    let mut sent = BTreeSet::new();
    while let Some(step) = machine.poll(&mut cursor, &mut out) {
        match step {
            TopicStep::Topic { len } => {
                assert!(sent.insert(out[..len].to_vec()), "sent twice");
            }
            TopicStep::OutTooSmall { len } => panic!("no topic has {len} bytes"),
            TopicStep::Working => {}
        }
    }
    assert!(sent.iter().eq(model.counts.keys()));
}
