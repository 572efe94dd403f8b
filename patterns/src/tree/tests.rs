use super::*;
use crate::storage::Array;
use std::collections::BTreeMap;
use std::vec::Vec;

type Small = Tree<Array<Node, 256>, Array<Bucket, 64>>;

fn tree() -> Small {
    Tree::new(Array::new(), Array::new(), Seed::new(7, 9))
}

/// Topics whose labels end at, before and after every slot boundary.
fn topics() -> Vec<Vec<u8>> {
    let long: Vec<u8> = (0..100).collect();
    let mut topics: Vec<Vec<u8>> = [0, 1, 9, 10, 11, 36, 37, 38, 63, 64, 65, 100]
        .iter()
        .map(|&len| long[..len].to_vec())
        .collect();
    for fork in [0, 1, 10, 37, 40, 64, 99] {
        for len in [1, 10, 11, 37, 38] {
            let mut topic = long[..fork].to_vec();
            topic.extend(core::iter::repeat_n(200, len));
            topics.push(topic);
        }
    }
    topics
}

impl Small {
    fn slots_in_use(&self) -> usize {
        let taken = |i: &u32| {
            let node = self.slab.get(*i).unwrap();
            node.as_branch().is_some() || node.as_chunk().is_some()
        };
        (0..self.slab.used()).filter(taken).count()
    }

    /// What the tree must look like whatever it went through.
    fn check(&self, model: &BTreeMap<Vec<u8>, (u32, u32)>) {
        let mut slots = 0;
        for at in 0..self.slab.used() {
            let Some(branch) = self.branch(at) else {
                continue;
            };
            slots += 1 + label::chunks(branch.len.into()) as usize;
            let children = (0..=255).filter_map(|byte| self.child(at, byte)).count();
            assert_eq!(children, usize::from(branch.children));
            let node = self.slab.get(at).unwrap();
            let hidden = |byte| self.child(at, byte).is_some() && !node.may_have_child(byte);
            assert!(!(0..=255).any(hidden), "node {at} denies a child");
            let needed = branch.value != NIL || branch.children > 1;
            assert!(at == ROOT || needed, "node {at} joins nothing");
        }
        assert_eq!(
            slots,
            self.slots_in_use(),
            "no slot is lost, none is shared"
        );
        for (topic, (node, value)) in model {
            assert_eq!(self.find(topic), Some(*node), "{topic:?} has moved");
            assert_eq!(self.value(*node), *value);
            assert_eq!(self.topic_len(*node), topic.len());
            let mut out = std::vec![0; topic.len()];
            self.read_topic(*node, &mut out);
            assert_eq!(out, *topic);
        }
    }
}

#[test]
fn topics_keep_their_node_through_splits_and_merges() {
    let topics = topics();
    // Every order in which a step that is prime to their number visits them.
    for step in [1, 2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43] {
        let order: Vec<_> = (0..topics.len()).map(|i| i * step % topics.len()).collect();
        let (mut tree, mut model) = (tree(), BTreeMap::new());
        for &i in &order {
            let node = tree.insert(&topics[i]).unwrap();
            tree.set_value(node, i as u32);
            model.insert(topics[i].clone(), (node, i as u32));
            tree.check(&model);
        }
        for &i in order
            .iter()
            .rev()
            .skip(step)
            .chain(order.iter().rev().take(step))
        {
            let (node, _) = model.remove(&topics[i]).unwrap();
            tree.set_value(node, NIL);
            tree.prune(node);
            assert!(
                tree.find(&topics[i])
                    .is_none_or(|node| tree.value(node) == NIL)
            );
            tree.check(&model);
        }
        assert_eq!(tree.slots_in_use(), 1, "only the root is left");
    }
}

#[test]
fn a_topic_in_use_is_not_pruned() {
    let mut tree = tree();
    let node = tree.insert(b"used").unwrap();
    tree.set_value(node, 1);
    tree.prune(node);
    assert_eq!((tree.find(b"used"), tree.value(node)), (Some(node), 1));
}

#[test]
fn every_byte_can_follow_a_node() {
    let mut tree = Tree::new(
        Array::<Node, 300>::new(),
        Array::<Bucket, 300>::new(),
        Seed::new(0, 0),
    );
    for byte in 0..=255u8 {
        let node = tree.insert(&[9, byte]).unwrap();
        tree.set_value(node, byte.into());
    }
    for byte in 0..=255u8 {
        assert_eq!(
            tree.value(tree.deepest(&[9, byte, 1]).unwrap()),
            byte.into()
        );
    }
    for byte in (0..=255u8).rev() {
        let node = tree.find(&[9, byte]).unwrap();
        tree.set_value(node, NIL);
        tree.prune(node);
        assert!(!tree.any_prefix(&[9, byte, 1]));
        assert_eq!(tree.any_prefix(&[9, 0]), byte > 0);
    }
    assert_eq!(tree.find(&[9]), None);
}

#[test]
fn the_deepest_node_is_a_prefix_and_values_are_found_upwards() {
    let mut tree = tree();
    for (value, topic) in [&b""[..], b"abc", b"abcdefghijk", b"abd"]
        .iter()
        .enumerate()
    {
        let node = tree.insert(topic).unwrap();
        tree.set_value(node, value as u32);
    }
    let up = |topic: &[u8]| tree.value_upwards(tree.deepest(topic).unwrap());
    assert_eq!(up(b""), 0);
    assert_eq!(up(b"ab"), 0, "a joint has no value");
    assert_eq!(up(b"abcdefghij"), 1);
    assert_eq!(up(b"abcdefghijkl"), 2);
    assert_eq!(up(b"abdx"), 3);
}

// H32
#[test]
fn the_longest_topic_needs_no_recursion() {
    let mut nodes = std::boxed::Box::new(Array::<Node, 6000>::new());
    let mut tree = Tree::new(&mut *nodes, Array::<Bucket, 1>::new(), Seed::new(1, 1));
    let long = std::vec![5; MAX_TOPIC_LEN];
    let whole = tree.insert(&long).unwrap();
    tree.set_value(whole, 1);
    let half = tree.insert(&long[..30_000]).unwrap();
    tree.set_value(half, 2);
    assert_eq!(tree.topic_len(whole), MAX_TOPIC_LEN);
    assert_eq!(tree.find(&long), Some(whole));
    tree.set_value(half, NIL);
    tree.prune(half);
    assert_eq!(
        (tree.find(&long), tree.find(&long[..30_000])),
        (Some(whole), None)
    );
    let mut out = std::vec![0; MAX_TOPIC_LEN];
    tree.read_topic(whole, &mut out);
    assert_eq!(out, long);
}

#[test]
fn a_full_storage_changes_nothing() {
    let topics = topics();
    let mut refused = 0;
    for capacity in 1..40 {
        let mut tree = Tree::new(
            Limited {
                inner: Array::new(),
                capacity,
            },
            Array::new(),
            Seed::new(3, 4),
        );
        let mut model = BTreeMap::new();
        for (i, topic) in topics.iter().enumerate() {
            let before = tree.slab_shape();
            match tree.insert(topic) {
                Ok(node) => {
                    tree.set_value(node, i as u32);
                    model.insert(topic.clone(), (node, i as u32));
                }
                Err(Full) => {
                    refused += 1;
                    assert_eq!(tree.slab_shape(), before);
                }
            }
            for (topic, (node, value)) in &model {
                assert_eq!((tree.find(topic), tree.value(*node)), (Some(*node), *value));
            }
        }
    }
    assert!(refused > 100, "the test tests something");
}

/// An array that stops growing earlier.
struct Limited {
    inner: Array<Node, 256>,
    capacity: usize,
}

impl Storage<Node> for Limited {
    fn get(&self, i: usize) -> Option<&Node> {
        self.inner.get(i)
    }
    fn get_mut(&mut self, i: usize) -> Option<&mut Node> {
        self.inner.get_mut(i)
    }
    fn len(&self) -> usize {
        self.inner.len()
    }
    fn grow(&mut self, len: usize) -> Result<(), Full> {
        if len > self.capacity {
            Err(Full)
        } else {
            self.inner.grow(len)
        }
    }
    fn shrink(&mut self, len: usize) {
        self.inner.shrink(len);
    }
}

impl Tree<Limited, Array<Bucket, 64>> {
    /// All that a look-up could see.
    fn slab_shape(&self) -> Vec<std::string::String> {
        (0..self.slab.used())
            .map(|i| std::format!("{:?}", self.slab.get(i)))
            .collect()
    }
}

#[test]
fn children_have_hashes_of_their_own() {
    let seed = Seed::new(3, 4);
    let pairs = (0..64).flat_map(|parent| (0..=255).map(move |byte| (parent, byte)));
    let hashes = pairs.map(|(parent, byte)| child_hash(&seed, parent, byte));
    let different = hashes.collect::<std::collections::HashSet<u32>>().len();
    // 16,384 of 2^32 meet once in 32 seeds.
    assert!(different >= 16_380, "{different} of 16,384");
}
