use paddock_runtime::{ModelDetails, RuntimeSnapshot};
use paddock_scheduler::ModelStatus;

/// Whether requests can be served, as health routes tell it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HealthState {
    /// What is to be loaded at the start is loading, and nothing else is there yet. Requests wait.
    Starting,
    /// Requests are served, or loaded for.
    Ready,
    /// No model loads. Requests are refused.
    Unhealthy,
    /// It was told to stop.
    Stopping,
}

impl HealthState {
    /// The word for it in health and status answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Ready => "ok",
            Self::Unhealthy => "unhealthy",
            Self::Stopping => "stopping",
        }
    }

    /// The health of one model.
    pub(crate) fn of_model(model: &ModelDetails) -> Self {
        match model.scheduling.status {
            ModelStatus::Ready | ModelStatus::Unloaded => Self::Ready,
            ModelStatus::Waiting | ModelStatus::Loading => Self::Starting,
            ModelStatus::Draining | ModelStatus::Stopping => Self::Stopping,
            ModelStatus::Failed => Self::Unhealthy,
        }
    }

    /// The health of all models together; without a view everything has stopped.
    pub(crate) fn of_all(view: Option<&RuntimeSnapshot>) -> Self {
        let Some(view) = view else {
            return Self::Stopping;
        };
        let all = |is: fn(&ModelDetails) -> bool| view.models.iter().all(is);
        let any = |is: fn(&ModelDetails) -> bool| view.models.iter().any(is);
        if all(|model| model.scheduling.status == ModelStatus::Failed) {
            Self::Unhealthy
        } else if any(|model| model.scheduling.status == ModelStatus::Ready) {
            Self::Ready
        } else if any(|model| model.config.preload && Self::of_model(model) == Self::Starting) {
            Self::Starting
        } else {
            Self::Ready
        }
    }
}
