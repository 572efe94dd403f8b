//! XSUB, SUB and DISH against a map from topic to count, over every storage.

use std::collections::HashMap;

use ferromq_patterns::{
    Accept, Array, Bucket, GroupError, Matching, Node, Pattern, Peer, PeerId, Publisher, Reason,
    ResendCursor, Seed, Storage, Sub, SubscribeError, TopicStep, TopicStorage, Upstream,
};
use proptest::prelude::*;

use crate::support::{Chunks, Flaky, Script};
use crate::topics::topic;

#[derive(Clone, Debug)]
enum Event {
    Subscribe(Vec<u8>),
    Unsubscribe(Vec<u8>),
    /// A connection is made (again): it is to be sent everything.
    Connected(u8),
    /// The connection's cursor takes a step.
    Resend(u8),
    /// A message arrives whose first frame is this.
    Message(Vec<u8>),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => topic().prop_map(Event::Subscribe),
        3 => topic().prop_map(Event::Unsubscribe),
        1 => any::<u8>().prop_map(Event::Connected),
        6 => any::<u8>().prop_map(Event::Resend),
        4 => topic().prop_map(Event::Message),
    ]
}

/// What one connection has been told.
#[derive(Clone, Default)]
struct Connection {
    cursor: Option<ResendCursor>,
    told: HashMap<Vec<u8>, i32>,
}

struct Bench<P, N, B> {
    sub: Sub<P, N, B>,
    matching: Matching,
    flaky: bool,
    peer: PeerId,
    counts: HashMap<Vec<u8>, u32>,
    connections: [Connection; 3],
}

impl<P, N, B> Bench<P, N, B>
where
    P: Storage<Peer<Publisher>>,
    N: Storage<Node>,
    B: Storage<Bucket>,
{
    fn apply(&mut self, event: &Event) {
        match event {
            Event::Subscribe(topic) => self.subscribe(topic),
            Event::Unsubscribe(topic) => self.unsubscribe(topic),
            Event::Connected(i) => {
                self.connections[usize::from(*i) % 3] = Connection {
                    cursor: Some(ResendCursor::new()),
                    told: HashMap::new(),
                };
            }
            Event::Resend(i) => {
                self.resend(usize::from(*i) % 3);
            }
            Event::Message(topic) => self.message(topic),
        }
        assert_eq!(self.sub.subscriptions() as usize, self.counts.len());
    }

    // C72
    fn subscribe(&mut self, topic: &[u8]) {
        match self.sub.subscribe(topic) {
            Ok(upstream) => {
                assert_eq!(self.refusal(topic), None);
                let count = self.counts.entry(topic.to_vec()).or_default();
                *count += 1;
                assert_eq!(upstream == Upstream::Notify, *count == 1);
                if upstream == Upstream::Notify {
                    self.tell(topic, 1);
                }
            }
            Err(SubscribeError::Full) => {
                assert!(self.flaky && !self.counts.contains_key(topic));
            }
            Err(error) => assert_eq!(Some(error), self.refusal(topic)),
        }
    }

    /// 48/RADIO-DISH, Group; and a group is joined once.
    fn refusal(&self, topic: &[u8]) -> Option<SubscribeError> {
        let zero = topic.iter().position(|byte| *byte == 0);
        match (self.matching, zero) {
            (Matching::Prefix | Matching::Inverted, _) => None,
            _ if topic.len() > 255 => Some(GroupError::TooLong { len: topic.len() }.into()),
            (_, Some(at)) => Some(GroupError::ZeroByte { at }.into()),
            _ if self.counts.contains_key(topic) => Some(SubscribeError::Joined),
            _ => None,
        }
    }

    // C72
    fn unsubscribe(&mut self, topic: &[u8]) {
        let Some(count) = self.counts.get_mut(topic) else {
            assert!(self.sub.unsubscribe(topic).is_err());
            return;
        };
        *count -= 1;
        let last = *count == 0;
        assert_eq!(
            self.sub.unsubscribe(topic).unwrap() == Upstream::Notify,
            last
        );
        if last {
            self.counts.remove(topic);
            self.tell(topic, -1);
        }
    }

    fn tell(&mut self, topic: &[u8], change: i32) {
        for connection in &mut self.connections {
            if connection
                .cursor
                .is_some_and(|cursor| !self.sub.comes_to(&cursor))
            {
                *connection.told.entry(topic.to_vec()).or_default() += change;
            }
        }
    }

    // C79
    fn resend(&mut self, i: usize) -> bool {
        let connection = &mut self.connections[i];
        let Some(cursor) = &mut connection.cursor else {
            return false;
        };
        let mut out = [0; 300];
        match self.sub.poll_subscription(cursor, &mut out) {
            None => return false,
            Some(TopicStep::Working) => {}
            Some(TopicStep::Topic { len }) => {
                *connection.told.entry(out[..len].to_vec()).or_default() += 1;
            }
            Some(TopicStep::OutTooSmall { len }) => panic!("a topic of {len} bytes"),
        }
        for (topic, count) in &connection.told {
            assert!(
                *count == 0 || *count == 1,
                "{topic:?} was sent {count} times"
            );
        }
        true
    }

    // C71, C82
    fn message(&mut self, topic: &[u8]) {
        let prefixed = self.counts.keys().any(|prefix| topic.starts_with(prefix));
        let wanted = match self.matching {
            Matching::Prefix => prefixed,
            Matching::Inverted => !prefixed,
            Matching::Exact => self.counts.contains_key(topic),
        };
        if !wanted {
            let refused = Accept::Refuse(Reason::NotSubscribed);
            assert_eq!(self.sub.accept(self.peer, topic, true), refused);
            return;
        }
        assert_eq!(self.sub.accept(self.peer, topic, true), Accept::Deliver);
        let third = self.sub.accept(self.peer, b"body", true);
        if self.matching == Matching::Exact {
            assert_eq!(third, Accept::Refuse(Reason::WrongParts));
            let alone = self.sub.accept(self.peer, topic, false);
            assert_eq!(alone, Accept::Refuse(Reason::WrongParts));
            assert_eq!(self.sub.accept(self.peer, topic, true), Accept::Deliver);
        } else {
            assert_eq!(third, Accept::Deliver);
        }
        assert_eq!(self.sub.accept(self.peer, b"body", false), Accept::Deliver);
    }

    fn finish(mut self) {
        let expected: HashMap<Vec<u8>, i32> =
            self.counts.keys().map(|topic| (topic.clone(), 1)).collect();
        for i in 0..3 {
            while self.resend(i) {}
            let connection = &mut self.connections[i];
            connection.told.retain(|_, count| *count != 0);
            if connection.cursor.is_some() {
                assert_eq!(connection.told, expected);
            }
        }
    }
}

fn check<P, N, B>(
    peers: P,
    topics: TopicStorage<N, B>,
    matching: Matching,
    flaky: bool,
    events: &[Event],
) where
    P: Storage<Peer<Publisher>>,
    N: Storage<Node>,
    B: Storage<Bucket>,
{
    let mut sub = Sub::new(peers, topics, matching, Seed::new(8, 9));
    let peer = sub.peer_attached(b"").expect("room for a peer");
    let connections = Default::default();
    let mut bench = Bench {
        sub,
        matching,
        flaky,
        peer,
        counts: HashMap::new(),
        connections,
    };
    for event in events {
        bench.apply(event);
    }
    bench.finish();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn every_connection_is_told_every_topic_once(
        matching in prop_oneof![
            Just(Matching::Prefix),
            Just(Matching::Inverted),
            Just(Matching::Exact),
        ],
        events in prop::collection::vec(event(), 0..200),
        bits in any::<u64>(),
    ) {
        let arrays = TopicStorage {
            nodes: Array::<Node, 1500>::new(),
            children: Array::<Bucket, 100>::new(),
        };
        check(Array::<Peer<Publisher>, 1>::new(), arrays, matching, false, &events);
        let vectors = TopicStorage {
            nodes: heapless::Vec::<Node, 1500>::new(),
            children: heapless::Vec::<Bucket, 5>::new(),
        };
        check(heapless::Vec::<Peer<Publisher>, 1>::new(), vectors, matching, false, &events);
        let chunks = TopicStorage {
            nodes: Chunks::with_limit(bits as usize % 100),
            children: Chunks::<Bucket>::default(),
        };
        check(Chunks::with_limit(1), chunks, matching, true, &events);
        let script = Script::new(bits);
        let flaky = TopicStorage {
            nodes: Flaky::new(&script),
            children: Flaky::<Bucket>::new(&script),
        };
        check(Chunks::with_limit(1), flaky, matching, true, &events);
    }
}
