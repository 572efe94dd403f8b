//! The open files of a receiver, and what each of them may be sent now.

use std::sync::mpsc::Sender;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::Frame;

use super::event::Incoming;
use super::name::FileName;
use super::orders::{Order, Source, Told};
use super::protocol::{Answer, CHUNK, Digest, Grant, WINDOW};
use super::refusal::{Refusal, RefusalCode};

/// Files that may be open at once: each has a thread and a window.
const FILES: usize = 64;
/// Files that one peer may have open at once.
const FILES_OF_PEER: usize = 8;

/// The open files. At most 64, so that looking through them is cheap.
#[derive(Debug, Default)]
pub(crate) struct Table(Vec<Transfer>);

/// One open file: whose it is, and how far it is.
#[derive(Debug)]
pub(crate) struct Transfer {
    pub(crate) identity: Frame,
    pub(crate) id: u64,
    pub(crate) file: Incoming,
    /// When the sender last heard of it.
    pub(crate) answered: Instant,
    source: Source,
    phase: Phase,
    orders: Sender<Order>,
    thread: JoinHandle<()>,
}

/// What may come next. `written <= expected <= written + WINDOW`, and
/// `expected <= size`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The intake has not yet said what it wants.
    Offered,
    /// A proof of that length.
    Proving { length: u64 },
    /// The intake compares.
    Proved,
    /// The chunk from `expected` on, or the end.
    Receiving { expected: u64, written: u64 },
    /// The intake makes an end.
    Ending,
}

impl Table {
    /// The open file that an offer is about, taken out to be offered again;
    /// `None` if it is not open and may be opened.
    pub(crate) fn take_over(
        &mut self,
        name: &FileName,
        source: &Source,
        identity: &Frame,
        id: u64,
    ) -> Result<Option<Transfer>, Refusal> {
        let busy = |cause: String| Err(Refusal::new(RefusalCode::Busy, cause));
        let same = |open: &Transfer| open.file.name == *name && open.source == *source;
        if self
            .0
            .iter()
            .any(|open| open.is(identity, id) && !same(open))
        {
            let cause = "the id stands for another file that is being received";
            return Err(Refusal::new(RefusalCode::Order, cause));
        }
        match self.0.iter().position(same) {
            // One offer at a time may wait for the intake.
            Some(at) if self.0[at].phase == Phase::Offered => {
                busy("the file is just being opened".into())
            }
            Some(at) => Ok(Some(self.0.swap_remove(at))),
            None if self.0.len() >= FILES => busy(format!("{FILES} files are being received")),
            None if self.of_peer(identity) >= FILES_OF_PEER => {
                busy(format!("{FILES_OF_PEER} files of yours are being received"))
            }
            None => Ok(None),
        }
    }

    pub(crate) fn add(&mut self, transfer: Transfer) {
        self.0.push(transfer);
    }

    pub(crate) fn find(&mut self, identity: &Frame, id: u64) -> Option<&mut Transfer> {
        self.0.iter_mut().find(|open| open.is(identity, id))
    }

    pub(crate) fn by_ticket(&self, ticket: u64) -> Option<&Transfer> {
        self.0.iter().find(|open| open.file.number == ticket)
    }

    /// Takes a file out. When it is dropped its intake ends.
    pub(crate) fn remove(&mut self, identity: &Frame, id: u64) -> Option<Transfer> {
        let at = self.0.iter().position(|open| open.is(identity, id))?;
        Some(self.0.swap_remove(at))
    }

    pub(crate) fn remove_all_of(&mut self, identity: &Frame) -> Vec<Transfer> {
        self.0
            .extract_if(.., |open| open.identity == *identity)
            .collect()
    }

    /// Who has not been answered for so long.
    pub(crate) fn unanswered_for(&self, time: Duration) -> Vec<(Frame, u64)> {
        let silent = self.0.iter().filter(|open| open.answered.elapsed() >= time);
        silent
            .map(|open| (open.identity.clone(), open.id))
            .collect()
    }

    /// Whether a sender waits for a disk of ours.
    pub(crate) fn awaits_intake(&self) -> bool {
        let awaited = |open: &Transfer| match open.phase {
            Phase::Offered | Phase::Proved | Phase::Ending => true,
            Phase::Receiving { expected, written } => written < expected,
            Phase::Proving { .. } => false,
        };
        self.0.iter().any(awaited)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Ends all, and waits until their partial files are put away.
    pub(crate) fn close_all(&mut self) {
        let threads: Vec<_> = self.0.drain(..).map(|transfer| transfer.thread).collect();
        for thread in threads {
            // A panic was told by the panic hook.
            let _ = thread.join();
        }
    }

    fn of_peer(&self, identity: &Frame) -> usize {
        let of_peer = |open: &&Transfer| open.identity == *identity;
        self.0.iter().filter(of_peer).count()
    }
}

impl Transfer {
    pub(crate) fn new(
        file: Incoming,
        source: Source,
        identity: &Frame,
        id: u64,
        (orders, thread): (Sender<Order>, JoinHandle<()>),
    ) -> Result<Self, Refusal> {
        let transfer = Self {
            identity: identity.clone(),
            id,
            file,
            answered: Instant::now(),
            source,
            phase: Phase::Offered,
            orders,
            thread,
        };
        transfer.offer()?;
        Ok(transfer)
    }

    /// The same file offered again, by whomever.
    pub(crate) fn offered_again(
        mut self,
        file: Incoming,
        identity: &Frame,
        id: u64,
    ) -> Result<Self, Refusal> {
        (self.file, self.identity, self.id) = (file, identity.clone(), id);
        self.answered = Instant::now();
        self.phase = Phase::Offered;
        self.offer()?;
        Ok(self)
    }

    /// Whose it is, and what.
    pub(crate) fn whose(&self) -> (Frame, u64, Incoming) {
        (self.identity.clone(), self.id, self.file.clone())
    }

    fn is(&self, identity: &Frame, id: u64) -> bool {
        self.id == id && self.identity == *identity
    }

    fn offer(&self) -> Result<(), Refusal> {
        self.order(Order::Offer {
            ticket: self.file.number,
            size: self.file.size,
        })
    }

    /// A proof came.
    pub(crate) fn proof(&mut self, length: u64, digest: Digest) -> Result<(), Refusal> {
        match self.phase {
            Phase::Proving { length: wanted } if wanted == length => {
                self.phase = Phase::Proved;
                self.order(Order::Proof { digest })
            }
            Phase::Proving { length: wanted } => Err(out_of_turn(format!(
                "a proof of {length} bytes came, and one of {wanted} was asked for"
            ))),
            _ => Err(out_of_turn("a proof came that was not asked for")),
        }
    }

    /// A chunk came: it must be the next, and not more than was granted.
    pub(crate) fn chunk(&mut self, offset: u64, data: Frame) -> Result<(), Refusal> {
        let Phase::Receiving { expected, written } = self.phase else {
            return Err(out_of_turn("a chunk came before it was asked for"));
        };
        if offset != expected {
            let cause = format!("a chunk from byte {offset} came instead of {expected}");
            return Err(out_of_turn(cause));
        }
        let len = data.len() as u64;
        if !(1..=CHUNK as u64).contains(&len) {
            let cause = format!("a chunk of {len} bytes came: 1 to {CHUNK} are allowed");
            return Err(Refusal::new(RefusalCode::Length, cause));
        }
        if len > self.file.size - expected {
            let cause = format!(
                "a chunk of {len} bytes from byte {offset} goes beyond the {} of the file",
                self.file.size
            );
            return Err(Refusal::new(RefusalCode::Length, cause));
        }
        let waiting = expected - written + len;
        if waiting > WINDOW {
            let cause = format!("{waiting} bytes wait to be written, and {WINDOW} were granted");
            return Err(Refusal::new(RefusalCode::Credit, cause));
        }
        self.phase = Phase::Receiving {
            expected: expected + len,
            written,
        };
        self.order(Order::Chunk { data })
    }

    /// The end came: everything must be there.
    pub(crate) fn end(&mut self, digest: Digest) -> Result<(), Refusal> {
        let size = self.file.size;
        match self.phase {
            Phase::Receiving { expected, .. } if expected == size => {
                self.phase = Phase::Ending;
                self.order(Order::End { digest })
            }
            Phase::Receiving { expected, .. } => Err(out_of_turn(format!(
                "the end came after {expected} of {size} bytes"
            ))),
            _ => Err(out_of_turn("the end came before a chunk was asked for")),
        }
    }

    /// The intake told something: the answer for the sender.
    pub(crate) fn reported(&mut self, told: &Told) -> Option<Answer> {
        let id = self.id;
        match *told {
            Told::Prove { length } => {
                self.phase = Phase::Proving { length };
                Some(Answer::Prove { id, length })
            }
            Told::Accept { offset } => {
                self.phase = Phase::Receiving {
                    expected: offset,
                    written: offset,
                };
                let grant = Grant {
                    offset,
                    window: WINDOW,
                    chunk: CHUNK as u64,
                };
                Some(Answer::Accept { id, grant })
            }
            Told::Written { offset } => {
                if let Phase::Receiving { written, .. } = &mut self.phase {
                    *written = offset;
                }
                Some(Answer::Ack { id, offset })
            }
            Told::Done { .. } | Told::Refused(_) => None,
        }
    }

    fn order(&self, order: Order) -> Result<(), Refusal> {
        // Only a panic ends an intake before its orders end.
        let gone = |_| Refusal::new(RefusalCode::Storage, "its thread is gone");
        self.orders.send(order).map_err(gone)
    }
}

fn out_of_turn(cause: impl AsRef<str>) -> Refusal {
    Refusal::new(RefusalCode::Order, cause)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, channel};

    use super::*;

    /// A file of an intake that never answers by itself, and its orders.
    fn transfer(size: u64) -> (Transfer, Receiver<Order>) {
        let (orders, inbox) = channel();
        let file = Incoming {
            number: 1,
            name: FileName::new(b"a").unwrap(),
            size,
            peer: String::new(),
        };
        let source = Source::Known(vec![1]);
        let started = (orders, std::thread::spawn(|| {}));
        let identity = Frame::from("peer");
        let transfer = Transfer::new(file, source, &identity, 7, started).unwrap();
        (transfer, inbox)
    }

    #[test]
    fn no_more_waits_for_the_disk_than_was_granted() {
        let (mut transfer, inbox) = transfer(u64::MAX);
        transfer.reported(&Told::Accept { offset: 5 });
        let chunk = Frame::from(vec![0; CHUNK]);
        let len = CHUNK as u64;
        for number in 0..WINDOW / len {
            transfer.chunk(5 + number * len, chunk.clone()).unwrap();
        }
        let one_too_much = |transfer: &mut Transfer, at| {
            let refusal = transfer.chunk(at, Frame::from("x")).unwrap_err();
            assert_eq!(refusal.code, RefusalCode::Credit);
        };
        one_too_much(&mut transfer, 5 + WINDOW);
        // As much as is written may follow.
        transfer.reported(&Told::Written { offset: 5 + len });
        transfer.chunk(5 + WINDOW, chunk).unwrap();
        one_too_much(&mut transfer, 5 + WINDOW + len);
        assert_eq!(inbox.try_iter().count() as u64, 1 + WINDOW / len + 1);
    }

    #[test]
    fn offers_do_not_pile_up_before_their_intake() {
        let (open, inbox) = transfer(10);
        let mut table = Table::default();
        table.add(open);
        let (name, peer) = (FileName::new(b"a").unwrap(), Frame::from("other"));
        let source = Source::Known(vec![1]);
        let offer = |table: &mut Table| table.take_over(&name, &source, &peer, 9);
        assert_eq!(offer(&mut table).unwrap_err().code, RefusalCode::Busy);
        let (identity, id) = (Frame::from("peer"), 7);
        let open = table.find(&identity, id).unwrap();
        open.reported(&Told::Prove { length: 3 });
        let open = offer(&mut table).unwrap().expect("it is open");
        let again = open.file.clone();
        table.add(open.offered_again(again, &peer, 9).unwrap());
        assert_eq!(offer(&mut table).unwrap_err().code, RefusalCode::Busy);
        assert_eq!(inbox.try_iter().count(), 2);
        assert!(table.find(&identity, id).is_none());
    }

    #[test]
    fn an_id_stands_for_one_file() {
        let (open, _inbox) = transfer(10);
        let mut table = Table::default();
        table.add(open);
        let other = FileName::new(b"b").unwrap();
        let taken = table.take_over(&other, &Source::Known(vec![1]), &Frame::from("peer"), 7);
        assert_eq!(taken.unwrap_err().code, RefusalCode::Order);
    }
}
