//! A child that serves: watched by its exit alone, until requests wait for it.

use tokio::time::{Duration, Instant};

use super::{Actor, Ending, Run, wished};
use crate::{
    State,
    inference::{self, InferenceWatch},
    probe,
    vigil::{self, Suspicion, Vigil},
    wish::Wish,
};

impl Actor {
    /// Waits for the end of a child that is ready, and watches it while requests wait for it or end in errors.
    pub(super) async fn serving(&mut self, run: &mut Run, since: Instant) -> Ending {
        let doubts = self.spec.doubts.clone();
        doubts.renew();
        let mut seen = doubts.subscribe();
        let mut vigil = Vigil::new(self.spec.vigil, doubts.look());
        let limit = self.spec.vigil.probe;
        let ask = |delay| probe::health(delay, limit, run.listener.clone());
        let probing = ask(Duration::ZERO);
        tokio::pin!(probing);
        let mut inference = self.watch_inference(run);
        let (mut begun, mut ran) = (Instant::now(), run.process.ran());
        let mut thought = Thought::default();
        self.serves(run, since, None);
        loop {
            let doubted = vigil.is_doubted();
            let answered = tokio::select! {
                biased;
                exit = run.process.wait() => return Ending::Exited(exit),
                () = wished(&mut self.wish, Wish::Stop) => return Ending::Wished,
                // The sender is the spec's.
                _ = seen.changed() => None,
                answered = &mut probing, if doubted => Some(answered),
                verdict = inference.next() => {
                    if let Some(ending) = self.think(run, since, &mut thought, |it| it.inference = verdict) {
                        return ending;
                    }
                    continue;
                }
            };
            let (now, level) = (Instant::now(), doubts.look());
            let sign = match answered {
                None => vigil::Sign::Seen(level),
                Some(true) => vigil::Sign::Answered(level),
                Some(false) => vigil::Sign::Missed {
                    seen: level,
                    ran: run.process.ran().saturating_sub(ran),
                    took: now - begun,
                },
            };
            let verdict = vigil.handle(sign, now);
            if let Some(ending) = self.think(run, since, &mut thought, |it| it.vigil = verdict) {
                return ending;
            }
            if answered.is_some() || !doubted {
                let delay = if answered == Some(true) {
                    limit
                } else {
                    Duration::ZERO
                };
                probing.set(ask(delay));
                (begun, ran) = (now + delay, run.process.ran());
            }
        }
    }

    fn watch_inference(&self, run: &Run) -> InferenceWatch {
        let errors = self.spec.inference_errors.clone();
        InferenceWatch::new(self.spec.inference.clone(), errors, run.listener.clone())
    }

    /// Takes in what is thought of the child now, and shows it. Returns its end if it has to be replaced.
    fn think(
        &self,
        run: &Run,
        since: Instant,
        thought: &mut Thought,
        change: impl FnOnce(&mut Thought),
    ) -> Option<Ending> {
        let before = *thought;
        change(thought);
        if *thought != before {
            match thought.verdict() {
                vigil::Verdict::Fine => self.serves(run, since, None),
                vigil::Verdict::Suspect(why) => self.serves(run, since, Some(why)),
                vigil::Verdict::Hung(why) => return Some(Ending::Hung(why)),
            }
        }
        None
    }

    fn serves(&self, run: &Run, since: Instant, suspicion: Option<Suspicion>) {
        self.state.publish(State::Ready {
            pid: run.process.id(),
            generation: self.generation,
            since,
            listener: run.listener.clone(),
            suspicion: suspicion.map(|why| why.to_string().into()),
        });
    }
}

/// What is thought of a child that serves.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Thought {
    vigil: vigil::Verdict,
    inference: inference::Verdict,
}

impl Default for Thought {
    fn default() -> Self {
        Self {
            vigil: vigil::Verdict::Fine,
            inference: inference::Verdict::Works,
        }
    }
}

impl Thought {
    /// Returns the worse of both.
    fn verdict(self) -> vigil::Verdict {
        let errors = |rounds| Suspicion::ServerErrors { rounds };
        match (self.vigil, self.inference) {
            (hung @ vigil::Verdict::Hung(_), _) => hung,
            (_, inference::Verdict::Broken { rounds }) => vigil::Verdict::Hung(errors(rounds)),
            (vigil::Verdict::Fine, inference::Verdict::Suspect { rounds }) => {
                vigil::Verdict::Suspect(errors(rounds))
            }
            (vigil, _) => vigil,
        }
    }
}
