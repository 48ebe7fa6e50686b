//! What is said while the disk of a capture refuses writes: by the hours, and by those who spill rows for them.

use std::io::ErrorKind;
use std::sync::{Arc, Mutex, PoisonError};

use teiten_aggregator::writer::WriteError;

use crate::watch::Status;

/// Whether writes fail, as all threads of a capture know it.
#[derive(Debug)]
pub(super) struct Refusals {
    status: Option<Arc<Status>>,
    state: Mutex<RefusalState>,
}

#[derive(Debug)]
struct RefusalState {
    refused: bool,
    /// Kind of the last failure.
    kind: ErrorKind,
}

impl Refusals {
    /// Nothing was refused.
    pub(super) fn new(status: Option<Arc<Status>>) -> Self {
        Refusals {
            status,
            state: Mutex::new(RefusalState {
                refused: false,
                kind: ErrorKind::Other,
            }),
        }
    }

    /// Logs once that writes fail and once that they succeed again; the status shows it meanwhile, with the bytes of rows that wait.
    pub(super) fn report(&self, refusal: Option<&WriteError>, held_bytes: usize) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match refusal {
            Some(error) if !state.refused => tracing::error!(
                held_bytes,
                "{error}; the capture continues and keeps its data in memory until it can be written"
            ),
            None if state.refused => tracing::info!("everything held is written"),
            _ => {}
        }
        if refusal.is_some() || state.refused {
            let text =
                refusal.map(|error| format!("{error} ({held_bytes} bytes of rows are held)"));
            self.show(text);
        }
        state.refused = refusal.is_some();
        if let Some(kind) = refusal.and_then(kind_of) {
            state.kind = kind;
        }
    }

    /// Shows why writes fail, or that they succeed again. Each call also feeds the watchdog: the capture waits on purpose.
    pub(super) fn show(&self, text: Option<String>) {
        if let Some(status) = &self.status {
            if text.is_some() {
                status.wait_on_disk();
            }
            status.problem("disk", text);
        }
    }

    /// Kind of the last failure.
    pub(super) fn kind(&self) -> ErrorKind {
        self.state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .kind
    }
}

/// What the system said.
pub(super) fn kind_of(error: &WriteError) -> Option<ErrorKind> {
    match error {
        WriteError::File { source, .. } | WriteError::Run(source) => Some(source.kind()),
        _ => None,
    }
}
