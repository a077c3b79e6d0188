//! Drawing a scene: three columns of frames, lines between them.

use super::super::format::escape;
use super::{Frame, Node, Scene};

/// Sizes in SVG user units; text is 12 to 14 high, so that the picture can be read at its natural size.
const WIDTH: usize = 350;
const GAP: usize = 130;
const MARGIN: usize = 24;
const LINE: usize = 16;
const PADDING: usize = 12;
/// Characters that fit into a node's line.
const COLUMNS: usize = 50;

struct Placed {
    x: usize,
    y: usize,
    height: usize,
    /// Top and height of each node.
    nodes: Vec<(usize, usize)>,
}

pub(super) fn draw(scene: &Scene) -> String {
    let placed = place(scene);
    let height = placed.iter().map(|frame| frame.y + frame.height).max().unwrap_or(0) + MARGIN;
    let width = 2 * MARGIN + 3 * WIDTH + 2 * GAP;
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" \
         font-family=\"system-ui, sans-serif\" font-size=\"12\">\n\
         <defs><marker id=\"tip\" markerWidth=\"9\" markerHeight=\"8\" refX=\"8\" refY=\"4\" orient=\"auto\">\
         <path d=\"M0,0 L8,4 L0,8 z\" fill=\"#2563a8\"/></marker></defs>\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"#ffffff\"/>\n"
    );
    for (frame, at) in scene.frames.iter().zip(&placed) {
        text += &draw_frame(frame, at);
    }
    for arrow in &scene.arrows {
        let (from, to) = (&placed[arrow.from_frame], &placed[arrow.to_frame]);
        let start = match arrow.from_node {
            Some(node) => middle(from.nodes[node]),
            None => from.y + PADDING,
        };
        text += &line((from.x, start), (to.x, middle(to.nodes[arrow.to_node])), &arrow.label);
    }
    text + "</svg>\n"
}

/// What a node accepts, broken into lines.
fn lines(node: &Node) -> Vec<String> {
    let mut lines = Vec::new();
    for (label, sources) in &node.accepts {
        let mut line = format!("{label} from");
        for (number, source) in sources.iter().enumerate() {
            let comma = if number + 1 < sources.len() { "," } else { "" };
            if line.len() + source.len() + 2 > COLUMNS && line.trim_start().contains(' ') {
                lines.push(std::mem::replace(&mut line, "   ".to_owned()));
            }
            line += &format!(" {source}{comma}");
        }
        lines.push(line);
    }
    lines
}

fn middle((top, height): (usize, usize)) -> usize {
    top + height / 2
}

fn place(scene: &Scene) -> Vec<Placed> {
    let mut below = [MARGIN; 3];
    let mut placed = Vec::new();
    for frame in &scene.frames {
        let (x, y) = (MARGIN + frame.column * (WIDTH + GAP), below[frame.column]);
        let heading = 2 + usize::from(!frame.subtitle.is_empty()) + frame.remarks.len();
        let mut top = y + heading * LINE;
        let mut nodes = Vec::new();
        for node in &frame.nodes {
            let height = (1 + lines(node).len()) * LINE + PADDING;
            nodes.push((top, height));
            top += height + PADDING / 2;
        }
        let height = top - y + PADDING / 2;
        below[frame.column] = y + height + MARGIN;
        placed.push(Placed { x, y, height, nodes });
    }
    placed
}

fn draw_frame(frame: &Frame, at: &Placed) -> String {
    let (x, y) = (at.x, at.y);
    let mut text = format!(
        "<g><rect x=\"{x}\" y=\"{y}\" width=\"{WIDTH}\" height=\"{}\" rx=\"8\" fill=\"#f8fafc\" stroke=\"#64748b\"/>\n\
         <text x=\"{}\" y=\"{}\" font-size=\"14\" font-weight=\"bold\" fill=\"#0f172a\">{}</text>\n",
        at.height,
        x + PADDING,
        y + 20,
        escape(&frame.title)
    );
    let subtitle = Some(&frame.subtitle).filter(|subtitle| !subtitle.is_empty());
    for (number, remark) in subtitle.into_iter().chain(&frame.remarks).enumerate() {
        let baseline = y + 20 + (number + 1) * LINE;
        text += &format!("<text x=\"{}\" y=\"{baseline}\" fill=\"#475569\">{}</text>\n", x + PADDING, escape(remark));
    }
    for (node, (top, height)) in frame.nodes.iter().zip(&at.nodes) {
        text += &format!(
            "<rect x=\"{}\" y=\"{top}\" width=\"{}\" height=\"{height}\" rx=\"4\" fill=\"#ffffff\" stroke=\"#94a3b8\"/>\n\
             <text x=\"{}\" y=\"{}\" font-weight=\"600\" fill=\"#0f172a\">{}</text>\n",
            x + PADDING,
            WIDTH - 2 * PADDING,
            x + 2 * PADDING,
            top + LINE + 2,
            escape(&node.name)
        );
        for (number, line) in lines(node).iter().enumerate() {
            let baseline = top + (number + 2) * LINE + 1;
            text +=
                &format!("<text x=\"{}\" y=\"{baseline}\" fill=\"#1d4ed8\">{}</text>\n", x + 2 * PADDING, escape(line));
        }
    }
    text + "</g>\n"
}

/// A line between two frames, or a loop at the side of one.
fn line((from_x, from_y): (usize, usize), (to_x, to_y): (usize, usize), label: &str) -> String {
    let (start, end, bend_start, bend_end) = if from_x < to_x {
        (from_x + WIDTH, to_x, from_x + WIDTH + GAP / 2, to_x - GAP / 2)
    } else if from_x > to_x {
        (from_x, to_x + WIDTH, from_x - GAP / 2, to_x + WIDTH + GAP / 2)
    } else {
        (from_x + WIDTH, to_x + WIDTH, from_x + WIDTH + GAP / 3, to_x + WIDTH + GAP / 3)
    };
    format!(
        "<path d=\"M{start},{from_y} C{bend_start},{from_y} {bend_end},{to_y} {end},{to_y}\" fill=\"none\" stroke=\"#2563a8\" \
         stroke-opacity=\"0.55\" marker-end=\"url(#tip)\"><title>{}</title></path>\n",
        escape(label)
    )
}
