//! Memory beside the stream of a connection: what waits for it, and how.

use std::io;
use std::sync::Arc;

use ferromq_transport::{Bytes, Lender, Loan, Memory, Place, Source};

use super::{Look, Open, RdmaLink, fail_by, refuse_if_over};
use crate::channel::{Awaited, Over};

impl Memory for RdmaLink {
    fn lender(&self) -> Arc<dyn Lender> {
        self.closer.arena()
    }

    fn export(&mut self, bytes: &[u8]) -> Option<Place> {
        let Open {
            channel, lending, ..
        } = self.open.as_deref_mut()?;
        lending.export(channel, bytes)
    }

    fn import(&mut self, place: Place, len: u64) -> io::Result<Arc<dyn Bytes>> {
        self.is_looking(Awaited::Read);
        let result = self.fetch(place, len);
        self.settle();
        result
    }

    fn returned(&mut self, bytes: &[u8]) {
        if let Some(open) = &mut self.open {
            let Open {
                channel, lending, ..
            } = &mut **open;
            lending.returned(channel, bytes);
        }
    }

    fn open(&mut self, loan: Loan) -> Result<Place, Loan> {
        match &mut self.open {
            Some(open) => open.lending.open(&mut open.channel, loan),
            None => Err(loan),
        }
    }

    fn close(&mut self, place: Place) -> Option<Loan> {
        let Open {
            channel, lending, ..
        } = self.open.as_deref_mut()?;
        lending.close(channel, place)
    }

    fn write(&mut self, place: Place, sources: &[Source], skip: usize) -> io::Result<usize> {
        self.is_looking(Awaited::Written);
        let result = self.store(place, sources, skip);
        self.settle();
        result
    }

    fn writing(&mut self) -> io::Result<usize> {
        self.is_looking(Awaited::Written);
        let result = self.count_writes();
        self.settle();
        result
    }
}

impl RdmaLink {
    fn fetch(&mut self, place: Place, len: u64) -> io::Result<Arc<dyn Bytes>> {
        for look in [Look::Once, Look::Armed] {
            let Some(Open {
                channel, lending, ..
            }) = self.open.as_deref_mut()
            else {
                return Err(io::ErrorKind::BrokenPipe.into());
            };
            match look {
                Look::Armed => channel.arm(&self.gathered, Awaited::Read),
                _ => channel.look(),
            }
            let result = lending.import(channel, place, len);
            match (&result, channel.over()) {
                (Err(error), over) if error.kind() == io::ErrorKind::WouldBlock => {
                    if let Some(Over::Failed(error)) = over {
                        return Err(error.into());
                    }
                }
                (Err(error), _) => {
                    fail_by(channel, error);
                    return result;
                }
                _ => return result,
            }
        }
        *self.wants.of(Awaited::Read) = true;
        Err(io::ErrorKind::WouldBlock.into())
    }

    /// Takes what has arrived, and gives the link with what has not.
    fn look_for_writes(&mut self, look: Look) -> io::Result<(&mut Open, usize)> {
        let Some(open) = self.open.as_deref_mut() else {
            return Err(io::ErrorKind::BrokenPipe.into());
        };
        match look {
            Look::Not => {}
            Look::Once => open.channel.look(),
            Look::Armed => open.channel.arm(&self.gathered, Awaited::Written),
        }
        let left = open.lending.writing(&mut open.channel);
        Ok((open, left))
    }

    fn store(&mut self, place: Place, sources: &[Source], skip: usize) -> io::Result<usize> {
        for look in [Look::Not, Look::Once, Look::Armed] {
            let (open, _) = self.look_for_writes(look)?;
            let Open {
                channel, lending, ..
            } = open;
            refuse_if_over(channel)?;
            match lending.write(channel, place, sources, skip) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => {
                    fail_by(channel, &error);
                    return Err(error);
                }
                Ok(posted) => return Ok(posted),
            }
        }
        *self.wants.of(Awaited::Written) = true;
        Err(io::ErrorKind::WouldBlock.into())
    }

    fn count_writes(&mut self) -> io::Result<usize> {
        let mut left = 0;
        for look in [Look::Once, Look::Armed] {
            let open;
            (open, left) = self.look_for_writes(look)?;
            if left == 0 {
                return Ok(0);
            }
            refuse_if_over(&open.channel)?;
        }
        *self.wants.of(Awaited::Written) = true;
        Ok(left)
    }
}
