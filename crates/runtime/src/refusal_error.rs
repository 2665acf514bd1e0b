//! Converts the scheduler's refusals to errors for clients.

use super::journal::format_memory;
use paddock_admission::error::{LoadFailure, ProxyError};
use paddock_scheduler::{Memory, Refusal};

/// A model to which the scheduler refused a request.
#[derive(Debug)]
pub(super) struct RefusedModel<'a> {
    pub(super) name: &'a str,
    /// The last failure of the model, if any.
    pub(super) failure: Option<&'a LoadFailure>,
    /// Seconds after which a request may succeed, if waiting can help.
    pub(super) retry_after: Option<u64>,
    /// Names of the devices.
    pub(super) devices: &'a [String],
}

impl RefusedModel<'_> {
    /// Returns the error for a refused request.
    pub(super) fn error(&self, refusal: Refusal) -> ProxyError {
        let model = self.name.to_owned();
        let retry_after = self.retry_after;
        let format = |memory: &Memory| format_memory(memory, self.devices);
        match refusal {
            Refusal::QueueFull => ProxyError::QueueFull { model, retry_after },
            Refusal::TimedOut => ProxyError::QueueTimeout { model, retry_after },
            Refusal::NoRoom => ProxyError::NoRoom { model, retry_after },
            Refusal::StillLoading => ProxyError::Loading { model, retry_after },
            // The caller knows the names of other models, which the error for a removed model lists.
            Refusal::ShuttingDown | Refusal::Removed => ProxyError::ShuttingDown,
            Refusal::Draining => ProxyError::Draining { model, retry_after },
            Refusal::DoesNotFit {
                needs,
                available,
                pinned,
            } => ProxyError::DoesNotFit {
                model,
                needs: format(&needs),
                available: format(&available),
                pinned,
            },
            Refusal::OutOfMemory { needs, free } => ProxyError::OutOfMemory {
                model,
                needs: format(&needs),
                free: format(&free),
                failure: self.failure.cloned(),
                retry_after,
            },
            Refusal::LoadFailed => match self.failure {
                Some(failure) => ProxyError::LoadFailed {
                    model,
                    failure: failure.clone(),
                    retry_after,
                },
                None => ProxyError::Loading { model, retry_after },
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::failed_load;
    use paddock_supervisor::FailureClass;

    #[test]
    fn each_refusal_has_its_error() {
        let failure = failed_load(FailureClass::BadFile, "it is empty").failure;
        let devices = ["CUDA0".to_owned()];
        let model = |failure| RefusedModel {
            name: "m",
            failure,
            retry_after: Some(7),
            devices: &devices,
        };
        let (known, unknown) = (model(Some(&failure)), model(None));
        let amount = Memory::needed(2 << 20).with_device(0, 1 << 20);
        let free = Memory::needed(5 << 20);
        let does_not_fit = |pinned| Refusal::DoesNotFit {
            needs: amount,
            available: free,
            pinned,
        };
        let out_of_memory = Refusal::OutOfMemory {
            needs: amount,
            free,
        };
        for (model, refusal, expected) in [
            (
                &known,
                Refusal::QueueFull,
                "QueueFull { model: \"m\", retry_after: Some(7) }",
            ),
            (
                &known,
                Refusal::TimedOut,
                "QueueTimeout { model: \"m\", retry_after: Some(7) }",
            ),
            (
                &known,
                Refusal::NoRoom,
                "NoRoom { model: \"m\", retry_after: Some(7) }",
            ),
            (
                &known,
                Refusal::StillLoading,
                "Loading { model: \"m\", retry_after: Some(7) }",
            ),
            (&known, Refusal::ShuttingDown, "ShuttingDown"),
            (
                &known,
                Refusal::Draining,
                "Draining { model: \"m\", retry_after: Some(7) }",
            ),
            (
                &unknown,
                Refusal::LoadFailed,
                "Loading { model: \"m\", retry_after: Some(7) }",
            ),
            (
                &known,
                does_not_fit(true),
                "DoesNotFit { model: \"m\", needs: \"2.00 MiB and 1.00 MiB on CUDA0\", available: \"5.00 MiB\", \
                 pinned: true }",
            ),
            (
                &unknown,
                out_of_memory,
                "OutOfMemory { model: \"m\", needs: \"2.00 MiB and 1.00 MiB on CUDA0\", free: \"5.00 MiB\", \
                 failure: None, retry_after: Some(7) }",
            ),
        ] {
            assert_eq!(format!("{:?}", model.error(refusal)), expected);
        }
        for refusal in [Refusal::LoadFailed, out_of_memory] {
            let error = format!("{:?}", known.error(refusal));
            assert!(error.contains("it is empty"), "{error}");
        }
    }
}
