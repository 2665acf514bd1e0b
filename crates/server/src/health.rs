//! Derives the health of one model and of the service.

use paddock_api::HealthStatus;
use paddock_runtime::{ModelDetails, RuntimeSnapshot};
use paddock_scheduler::ModelStatus;

/// The health that health routes report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HealthState {
    /// Preloaded models are loading and no model is ready yet. Requests wait.
    Starting,
    /// Requests are served, after a load if necessary.
    Ready,
    /// Every model has failed. Requests are refused.
    Unhealthy,
    /// The service is stopping.
    Stopping,
}

impl HealthState {
    /// Converts the health to the admin API's type.
    pub(crate) const fn to_api(self) -> HealthStatus {
        match self {
            Self::Starting => HealthStatus::Starting,
            Self::Ready => HealthStatus::Ok,
            Self::Unhealthy => HealthStatus::Unhealthy,
            Self::Stopping => HealthStatus::Stopping,
        }
    }

    /// Returns the health of one model.
    pub(crate) fn from_model(model: &ModelDetails) -> Self {
        match model.scheduling.status {
            ModelStatus::Ready | ModelStatus::Unloaded => Self::Ready,
            ModelStatus::Waiting | ModelStatus::Loading => Self::Starting,
            ModelStatus::Draining | ModelStatus::Stopping => Self::Stopping,
            ModelStatus::Failed => Self::Unhealthy,
        }
    }

    /// Returns the health of the service. `None` means that the runtime actor has stopped.
    pub(crate) fn from_view(view: Option<&RuntimeSnapshot>) -> Self {
        let Some(view) = view else {
            return Self::Stopping;
        };
        let all = |matches: fn(&ModelDetails) -> bool| view.models.iter().all(matches);
        let any = |matches: fn(&ModelDetails) -> bool| view.models.iter().any(matches);
        if all(|model| model.scheduling.status == ModelStatus::Failed) {
            Self::Unhealthy
        } else if any(|model| model.scheduling.status == ModelStatus::Ready) {
            Self::Ready
        } else if any(|model| model.config.preload && Self::from_model(model) == Self::Starting) {
            Self::Starting
        } else {
            Self::Ready
        }
    }
}
