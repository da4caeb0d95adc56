//! Messages to the instance, in the order in which they came.

use super::{Driver, Exit, end::Termination, exit};
use crate::{
    Event, EventKind, codec,
    message::{Letter, Message},
};
use berth_blocks::workflow::{MessageId, Outgoing, Status, StoredMessage};
use std::collections::VecDeque;

/// Messages read at once.
const PAGE: usize = 256;

/// What was read of the inbox and not yet taken in.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    pub(super) letters: VecDeque<(MessageId, Letter)>,
    /// Last message that was read.
    pub(super) seen: MessageId,
    /// There may be more.
    pub(super) stale: bool,
}

impl Driver {
    /// Reads what came since.
    pub(super) async fn read_inbox(&mut self) -> Result<(), Exit> {
        while std::mem::take(&mut self.inbox.stale) {
            let store = &self.shared.store;
            let reading = store.inbox(&self.key, self.inbox.seen, PAGE);
            let page = self.attempts.beside(reading).await;
            let page = page.map_err(|error| {
                self.inbox.stale = true;
                exit(error)
            })?;
            self.inbox.stale = page.len() == PAGE;
            for stored in page {
                self.open(stored);
            }
        }
        Ok(())
    }

    fn open(&mut self, stored: StoredMessage) {
        self.inbox.seen = self.inbox.seen.max(stored.id);
        match codec::decode(&stored.body) {
            Ok((message, payload)) => {
                let letter = Letter { message, payload };
                self.inbox.letters.push_back((stored.id, letter));
            }
            Err(error) => {
                tracing::error!(instance = %self.key, %error, "dropping a message");
                self.consumed.push(stored.id);
            }
        }
    }

    /// A request to end the instance has precedence over everything, also while its code is stuck.
    pub(super) fn take_termination(&mut self) -> Option<Termination> {
        self.inbox
            .letters
            .iter()
            .find_map(|(_, letter)| match &letter.message {
                Message::Terminate { reason, recursive } => Some(Termination {
                    reason: reason.clone(),
                    recursive: *recursive,
                }),
                _ => None,
            })
    }

    /// Follows requests to suspend and resume, as far as they come before anything that the code must be given first.
    pub(super) fn obey_suspension(&mut self) {
        if self.state.status != Status::Suspended {
            return;
        }
        let resume = (self.inbox.letters.iter())
            .position(|(_, letter)| matches!(letter.message, Message::Resume { .. }));
        let Some((id, letter)) = resume.and_then(|place| self.inbox.letters.remove(place)) else {
            return;
        };
        // A request to suspend that came before it is settled with it.
        let settled = resume.unwrap_or(0);
        let mut place = 0;
        self.inbox.letters.retain(|(id, letter)| {
            place += 1;
            let stale = place <= settled && matches!(letter.message, Message::Suspend { .. });
            if stale {
                self.consumed.push(*id);
            }
            !stale
        });
        if let Message::Resume { reason } = letter.message {
            self.set_suspended(Status::Running, EventKind::Resumed { reason });
            self.consumed.push(id);
        }
    }

    /// Changes between running and suspended, with a mark in the history.
    pub(super) fn set_suspended(&mut self, status: Status, mark: EventKind) {
        self.state.status = status;
        let at = self.now();
        self.core.lock().append_mark(Event::new(at, mark));
    }

    /// Results that come while the instance is suspended are stored as messages, to be taken in when it goes on.
    pub(super) fn hand_results_to_inbox(&mut self) {
        let execution = self.core.lock().started.execution.clone();
        let now = self.now();
        for ended in self.attempts.take_ended() {
            let (failure, payload) = match ended.result {
                Ok(payload) => (None, Some(payload)),
                Err(failure) => (Some(failure), None),
            };
            let message = Message::AttemptEnded {
                execution: execution.clone(),
                of: ended.of,
                attempt: ended.attempt,
                failure,
            };
            self.sends.push(Outgoing {
                to: self.key.clone(),
                message: berth_blocks::workflow::Message {
                    dedup: None,
                    body: codec::encode(&message, payload.as_ref()),
                    at: now,
                },
            });
            // Its own commit brings it.
            self.inbox.stale = true;
        }
    }
}
