use std::time::Duration;

use paddock_supervisor::{
    ChildPhase, FailureClass, InferencePolicy, InstanceSpec, RestartPolicy, State,
};

use crate::harness::{Harness, LIMIT, first_failure, stop, until, until_ready};

/// Starts a child whose inference is broken, and which counts as stable at once.
fn broken(harness: &Harness) -> InstanceSpec {
    InstanceSpec {
        inference: InferencePolicy {
            pause: Duration::ZERO,
            limit: LIMIT,
            probes: vec![b"POST / HTTP/1.1\r\n\r\n".to_vec()],
            ..InferencePolicy::default()
        },
        restart: RestartPolicy {
            first_delay: LIMIT,
            stable_after: Duration::ZERO,
            ..RestartPolicy::default()
        },
        ..harness.child(&["--broken"])
    }
}

#[tokio::test]
async fn only_a_child_that_has_answered_a_request_is_replaced_for_nothing() {
    for (has_answered, used) in [(true, 0), (false, 1)] {
        let harness = Harness::new();
        let spec = broken(&harness);
        let errors = spec.inference_errors.clone();
        let instance = harness.start(spec);
        until_ready(&instance).await;
        if has_answered {
            errors.answered();
        }
        for _ in 0..3 {
            errors.failed();
        }
        let failure = first_failure(&instance).await;
        assert_eq!(failure.class, FailureClass::InferenceFailed);
        assert_eq!((failure.phase, failure.exit), (ChildPhase::Ready, None));
        let waits = until(&instance, |state| matches!(state, State::Backoff { .. })).await;
        assert!(
            matches!(waits, State::Backoff { attempt, .. } if attempt == used),
            "{waits:?}"
        );
        stop(&instance).await;
    }
}
