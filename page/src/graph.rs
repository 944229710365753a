//! The picture of a lineage: versions in columns, what a version is made of on its left, what is made of it on its right.

/// The size of a box.
const BOX: (f64, f64) = (196.0, 44.0);
/// The space between columns and between rows.
const GAP: (f64, f64) = (56.0, 14.0);
/// Characters of a line in a box.
const MOST_CHARS: usize = 20;

/// A version or a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Node {
    /// The distance from the version that the picture is of: negative for what it is made of.
    pub(crate) column: i32,
    pub(crate) title: String,
    pub(crate) text: String,
    pub(crate) link: Option<String>,
    pub(crate) kind: &'static str,
}

/// A box.
#[derive(Debug)]
pub(crate) struct Drawn {
    pub(crate) x: f64,
    pub(crate) y: f64,
    pub(crate) title: String,
    pub(crate) short: String,
    pub(crate) text: String,
    pub(crate) link: Option<String>,
    pub(crate) kind: &'static str,
}

/// A picture.
#[derive(Debug)]
pub(crate) struct Picture {
    pub(crate) width: f64,
    pub(crate) height: f64,
    pub(crate) box_width: f64,
    pub(crate) box_height: f64,
    pub(crate) boxes: Vec<Drawn>,
    /// The paths of the edges.
    pub(crate) edges: Vec<String>,
}

/// Draws nodes, and edges from the node that is used to the one that uses it, by index.
pub(crate) fn draw(nodes: &[Node], edges: &[(usize, usize)]) -> Picture {
    let least = nodes.iter().map(|node| node.column).min().unwrap_or_default();
    let most = nodes.iter().map(|node| node.column).max().unwrap_or_default();
    let in_column = |column: i32| nodes.iter().filter(|node| node.column == column).count();
    let rows = (least..=most).map(in_column).max().unwrap_or_default();
    let height = rows as f64 * (BOX.1 + GAP.1) + GAP.1;
    let width = f64::from(most - least + 1) * (BOX.0 + GAP.0) - GAP.0 + 4.0;
    let mut boxes = Vec::with_capacity(nodes.len());
    for (at, node) in nodes.iter().enumerate() {
        let above = nodes[..at].iter().filter(|other| other.column == node.column).count() as f64;
        let own = in_column(node.column) as f64 * (BOX.1 + GAP.1) + GAP.1;
        boxes.push(Drawn {
            x: f64::from(node.column - least) * (BOX.0 + GAP.0) + 2.0,
            y: (height - own) / 2.0 + GAP.1 + above * (BOX.1 + GAP.1),
            short: shortened(&node.title),
            title: node.title.clone(),
            text: shortened(&node.text),
            link: node.link.clone(),
            kind: node.kind,
        });
    }
    let edge = |(from, to): &(usize, usize)| {
        let (from, to) = (boxes.get(*from)?, boxes.get(*to)?);
        let (x1, y1) = (from.x + BOX.0, from.y + BOX.1 / 2.0);
        let (x2, y2) = (to.x, to.y + BOX.1 / 2.0);
        let middle = (x1 + x2) / 2.0;
        Some(format!("M{x1:.1},{y1:.1} C{middle:.1},{y1:.1} {middle:.1},{y2:.1} {x2:.1},{y2:.1}"))
    };
    let edges = edges.iter().filter_map(edge).collect();
    Picture { width, height, box_width: BOX.0, box_height: BOX.1, boxes, edges }
}

/// The end of a text that is too long: what tells versions apart stands there.
fn shortened(text: &str) -> String {
    match text.char_indices().nth_back(MOST_CHARS - 1) {
        Some((at, _)) if at > 0 => format!("…{}", &text[at..]),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boxes_do_not_overlap_and_edges_lead_to_the_right() {
        let node = |column, title: &str| Node {
            column,
            title: title.into(),
            text: String::new(),
            link: None,
            kind: "version",
        };
        let nodes = [node(0, "self"), node(-1, "a"), node(-1, "b"), node(1, "c"), node(-2, "d")];
        let picture = draw(&nodes, &[(1, 0), (2, 0), (0, 3), (4, 1), (9, 0)]);
        assert_eq!(picture.edges.len(), 4, "an edge to nothing is not drawn");
        for (at, one) in picture.boxes.iter().enumerate() {
            assert!(one.x >= 0.0 && one.x + picture.box_width <= picture.width);
            assert!(one.y >= 0.0 && one.y + picture.box_height <= picture.height);
            for other in &picture.boxes[at + 1..] {
                let apart = (one.y - other.y).abs() >= picture.box_height;
                assert!(one.x != other.x || apart, "{one:?} {other:?}");
            }
        }
        assert_eq!(shortened(&"x".repeat(20)), "x".repeat(20));
        assert_eq!(shortened(&format!("{}é@7", "x".repeat(40))).chars().count(), 21);
    }
}
