use paddock_supervisor::State;

/// Whether a model can serve, as health routes tell it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HealthState {
    /// Its child is loading, or about to be started again. Requests wait.
    Starting,
    /// Requests are served.
    Ready,
    /// Its child does not start. Requests are refused.
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
}

impl From<&State> for HealthState {
    fn from(state: &State) -> Self {
        match state {
            State::Starting { .. } | State::Backoff { .. } => Self::Starting,
            State::Ready { .. } => Self::Ready,
            State::Failed { .. } => Self::Unhealthy,
            State::Stopping { .. } | State::Stopped => Self::Stopping,
        }
    }
}
