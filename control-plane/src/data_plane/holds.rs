//! Questions for holds that come at the same time are answered together, in one change of the store.

use dragoman_core::admission::Leases;
use tokio::sync::{mpsc, oneshot};
use tonic::Status;
use tracing::warn;

use super::unavailable;
use crate::store::Store;
use crate::store::budgets::Hold;

/// Most that are answered in one change: a tenth of the second after which whoever asks gives up.
const AT_ONCE: usize = 256;
/// Most that wait; the filters of a hundred busy workers.
const WAITING: usize = 8192;

type Asked = (Hold, oneshot::Sender<Result<Leases, Status>>);

/// Where questions for holds wait.
pub(super) struct Holds(mpsc::Sender<Asked>);

impl Holds {
    /// Begins to answer them, as long as anybody can ask.
    pub(super) fn new(store: Store) -> Holds {
        let (sender, receiver) = mpsc::channel(WAITING);
        tokio::spawn(answer(store, receiver));
        Holds(sender)
    }

    /// Asks and waits.
    pub(super) async fn ask(&self, hold: Hold) -> Result<Leases, Status> {
        let (sender, receiver) = oneshot::channel();
        self.0.try_send((hold, sender)).map_err(|_| Status::resource_exhausted("too many wait for holds"))?;
        receiver.await.map_err(|_| Status::unavailable("holds are not answered"))?
    }
}

async fn answer(store: Store, mut asked: mpsc::Receiver<Asked>) {
    let mut waiting = Vec::with_capacity(AT_ONCE);
    while asked.recv_many(&mut waiting, AT_ONCE).await > 0 {
        // Whoever has given up must not be held for.
        let (holds, senders): (Vec<Hold>, Vec<_>) = waiting.drain(..).filter(|(_, sender)| !sender.is_closed()).unzip();
        match store.hold(&holds).await {
            Ok(answers) => {
                for (sender, leases) in senders.into_iter().zip(answers) {
                    let _ = sender.send(Ok(leases));
                }
            }
            // One that can't be answered must not take the others with it.
            Err(error) => {
                warn!("holds are answered one by one, since together they failed: {error:#}");
                for (sender, hold) in senders.into_iter().zip(holds) {
                    let alone = store.hold(&[hold]).await.map(|mut answers| answers.pop().unwrap_or_default());
                    let _ = sender.send(alone.map_err(unavailable));
                }
            }
        }
    }
}
