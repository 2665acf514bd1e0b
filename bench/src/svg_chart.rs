//! Draws paddock's figures as shares of nginx's, as SVG.

use std::fmt::Write as _;

use crate::goals::{Goal, ratio};
use crate::results::RunResults;
use crate::subjects::SubjectName::{Nginx, Paddock, Pump};
use crate::table_rows::GROUPS;

/// A bar: label, paddock's share of nginx's figure, its goal, and a byte pump's share.
#[derive(Debug, Clone, PartialEq)]
struct ChartBar {
    words: String,
    share: f64,
    goal: f64,
    pump: Option<f64>,
    more_is_better: bool,
}

impl ChartBar {
    fn is_goal_met(&self) -> bool {
        match self.more_is_better {
            true => self.share >= self.goal,
            false => self.share <= self.goal,
        }
    }
}

/// Left edge of the bars, length of a bar equal to nginx's figure, and height per bar, in pixels.
const BARS_LEFT: f64 = 320.0;
const NGINX_BAR_WIDTH: f64 = 220.0;
const LINE_HEIGHT: f64 = 28.0;

/// Space above the bars, and width of the picture.
const BARS_TOP: f64 = 44.0;
const IMAGE_WIDTH: f64 = 800.0;

/// Bars are cut off at this multiple of nginx's figure.
const MAX_BAR_RATIO: f64 = 1.9;

/// Both colour schemes have a contrast of at least 4.5 with the background.
const STYLE: &str = "<style>\
text{font:13px system-ui,sans-serif;fill:#1f2328}\
.met{fill:#1a7f37}.missed{fill:#bc4c00}.goal{stroke:#1f2328;stroke-width:2}\
.nginx{stroke:#59636e;stroke-dasharray:3 3}\
.pump{fill:#fff;stroke:#1f2328;stroke-width:2}\
@media(prefers-color-scheme:dark){text{fill:#f0f6fc}.met{fill:#3fb950}.missed{fill:#db6d28}\
.goal{stroke:#f0f6fc}.nginx{stroke:#9198a1}\
.pump{fill:#0d1117;stroke:#f0f6fc}svg{background:#0d1117}}\
</style>";

/// Renders the picture, or returns `None` if no figure with a goal relative to nginx was measured.
pub(crate) fn render(results: &RunResults) -> Option<String> {
    let bars = collect_bars(results);
    (!bars.is_empty()).then(|| draw(&bars))
}

/// Returns a bar for each row whose goal is a share of nginx's figure.
fn collect_bars(results: &RunResults) -> Vec<ChartBar> {
    let mut bars = Vec::new();
    for (case_words, case, rows) in GROUPS {
        for (what, quantity, goal) in *rows {
            let (goal, more_is_better) = match goal {
                Goal::AtMost(goal, Nginx) => (*goal, false),
                Goal::AtLeast(goal, Nginx) => (*goal, true),
                _ => continue,
            };
            let share = ratio(results, *case, *quantity, (Paddock, Nginx));
            let pump = ratio(results, *case, *quantity, (Pump, Nginx));
            if !share.is_nan() {
                bars.push(ChartBar {
                    words: format!("{case_words}: {}", what.trim_end_matches(", µs")),
                    share,
                    goal,
                    pump: (!pump.is_nan()).then_some(pump),
                    more_is_better,
                });
            }
        }
    }
    bars
}

fn draw(bars: &[ChartBar]) -> String {
    let mut lines = String::new();
    let mut y = BARS_TOP;
    for bar in bars {
        // Writing to a string cannot fail.
        let _ = writeln!(lines, "{}", draw_bar(bar, y));
        y += LINE_HEIGHT;
    }
    let (height, nginx) = (y + 12.0, BARS_LEFT + NGINX_BAR_WIDTH);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {IMAGE_WIDTH} {height}\" width=\"{IMAGE_WIDTH}\" \
         role=\"img\" aria-label=\"paddock's figures as shares of nginx's\">\n{STYLE}\n\
         <text x=\"12\" y=\"22\">paddock as a share of nginx; thick mark: the goal; ring: a byte pump that reads no HTTP</text>\n\
         <text x=\"{nginx}\" y=\"38\" text-anchor=\"middle\">nginx</text>\n\
         {lines}<line class=\"nginx\" x1=\"{nginx}\" y1=\"{BARS_TOP}\" x2=\"{nginx}\" y2=\"{y}\"/>\n</svg>\n"
    )
}

fn draw_bar(bar: &ChartBar, y: f64) -> String {
    let at = |share: f64| BARS_LEFT + share.clamp(0.0, MAX_BAR_RATIO) * NGINX_BAR_WIDTH;
    let (class, verdict) = match bar.is_goal_met() {
        true => ("met", "met"),
        false => ("missed", "missed"),
    };
    let sign = if bar.more_is_better { '≥' } else { '≤' };
    let (text, top, bottom) = (y + 17.0, y + 4.0, y + 22.0);
    // To the right of everything drawn, including nginx's line.
    let furthest = [bar.goal, bar.share, bar.pump.unwrap_or(0.0)];
    let end = at(furthest.into_iter().fold(1.0, f64::max)) + 10.0;
    let goal = at(bar.goal);
    let pump = bar.pump.map_or(String::new(), |pump| {
        let (x, y) = (at(pump), y + 13.0);
        format!("<circle class=\"pump\" cx=\"{x:.1}\" cy=\"{y}\" r=\"4\"/>")
    });
    format!(
        "<text x=\"{}\" y=\"{text}\" text-anchor=\"end\">{}</text>\
         <rect class=\"{class}\" x=\"{BARS_LEFT}\" y=\"{}\" width=\"{:.1}\" height=\"14\"/>\
         <line class=\"goal\" x1=\"{goal:.1}\" y1=\"{top}\" x2=\"{goal:.1}\" y2=\"{bottom}\"/>{pump}\
         <text x=\"{end:.1}\" y=\"{text}\">{:.2} ({sign} {}: {verdict})</text>",
        BARS_LEFT - 10.0,
        bar.words,
        y + 6.0,
        at(bar.share) - BARS_LEFT,
        bar.share,
        bar.goal,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cases::Case;
    use crate::results::Quantity;

    #[test]
    fn a_bar_is_as_long_as_its_share_and_says_whether_the_goal_is_met() {
        let mut results = RunResults::default();
        let mut add = |quantity, paddock, nginx| {
            results.add(Case::Many, quantity, Paddock, paddock);
            results.add(Case::Many, quantity, Nginx, nginx);
        };
        add(Quantity::Cpu, 10.0, 20.0);
        add(Quantity::PerSecond, 140.0, 100.0);
        let picture = render(&results).unwrap();
        assert!(picture.contains("class=\"met\" x=\"320\" y=\"50\" width=\"110.0\""));
        assert!(picture.contains("0.50 (≤ 0.6: met)"));
        assert!(picture.contains("class=\"missed\" x=\"320\" y=\"78\" width=\"308.0\""));
        assert!(picture.contains("1.40 (≥ 1.5: missed)"));
        assert_eq!(picture.matches("<rect").count(), 2);
    }

    #[test]
    fn there_is_no_picture_without_figures() {
        assert_eq!(render(&RunResults::default()), None);
    }
}
