//! The boxes of a drawing's texts, measured with the fonts of this machine: no label may be cut by an edge or overlap another.

use std::sync::Arc;

use resvg::usvg::{Group, Node, Options, Rect, Tree, fontdb};
use teiten_reports::chart::Chart;

/// How much two boxes may share, units: what rounding makes.
const SLACK: f32 = 0.6;

/// Fonts of the machine, read once.
pub(crate) fn fonts() -> Arc<fontdb::Database> {
    let mut database = fontdb::Database::new();
    database.load_system_fonts();
    Arc::new(database)
}

/// Whether the machine has a family.
pub(crate) fn has(fonts: &fontdb::Database, family: &str) -> bool {
    fonts
        .faces()
        .any(|face| face.families.iter().any(|(name, _)| name == family))
}

/// What is wrong with the labels of a drawing when a family draws it.
pub(crate) fn problems(chart: &Chart, fonts: &Arc<fontdb::Database>, family: &str) -> Vec<String> {
    let options = Options {
        font_family: family.to_owned(),
        fontdb: Arc::clone(fonts),
        ..Options::default()
    };
    let svg = chart.standalone().replace(
        "font-family:\"Hiragino Sans\",",
        &format!("font-family:\"{family}\","),
    );
    let tree = Tree::from_str(&svg, &options).expect("a drawing");
    let mut labels = Vec::new();
    collect(tree.root(), &mut labels);
    assert!(!labels.is_empty(), "{}: nothing is written", chart.name);
    let (width, height) = (tree.size().width(), tree.size().height());
    let mut problems = Vec::new();
    for (text, area) in &labels {
        if area.left() < -SLACK
            || area.top() < -SLACK
            || area.right() > width + SLACK
            || area.bottom() > height + SLACK
        {
            problems.push(format!("{text:?} is cut at {area:?} of {width} × {height}"));
        }
    }
    for (index, (text, area)) in labels.iter().enumerate() {
        for (other, place) in &labels[index + 1..] {
            let across = area.right().min(place.right()) - area.left().max(place.left());
            let down = area.bottom().min(place.bottom()) - area.top().max(place.top());
            if across > SLACK && down > SLACK {
                problems.push(format!("{text:?} lies over {other:?} at {area:?}"));
            }
        }
    }
    problems
}

/// Each text with the box of its ink.
fn collect(group: &Group, labels: &mut Vec<(String, Rect)>) {
    for node in group.children() {
        match node {
            Node::Group(group) => collect(group, labels),
            Node::Text(text) => {
                let words: String = text.chunks().iter().map(|chunk| chunk.text()).collect();
                labels.push((words, text.flattened().abs_bounding_box()));
            }
            _ => {}
        }
    }
}
