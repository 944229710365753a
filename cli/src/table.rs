//! Tables: columns that line up, fit the window, and are coloured by what they mean.

use anstyle::{AnsiColor, Style};
use unicode_width::UnicodeWidthStr as _;

use crate::text::clean;

/// What stands between two columns.
const GAP: &str = "  ";
/// No column is cut to less than this.
const LEAST: usize = 8;

/// How tables look where they are printed.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct TableStyle {
    /// How many columns the window has; tables for programs are as wide as they are.
    pub(crate) width: Option<usize>,
    pub(crate) coloured: bool,
}

/// What the colour of a column says.
fn style(heading: &str) -> Style {
    match heading {
        "NAME" | "WHAT" | "REFERENCE" => Style::new().bold(),
        "TAGS" => AnsiColor::Green.on_default(),
        "FAULT" => AnsiColor::Red.on_default(),
        "DIGEST" | "BLOB" | "CRATE" => Style::new().dimmed(),
        _ => Style::new(),
    }
}

const HEADING: Style = Style::new().underline();

/// The lines of a table under its heading, if it has one.
pub(crate) fn lines<const N: usize>(
    heading: Option<[&str; N]>,
    rows: impl IntoIterator<Item = [String; N]>,
    look: TableStyle,
) -> Vec<String> {
    let rows: Vec<[String; N]> =
        rows.into_iter().map(|row| row.map(|cell| clean(&cell).into_owned())).collect();
    let mut widths: [usize; N] = std::array::from_fn(|column| {
        let heading = heading.map_or(0, |heading| heading[column].width());
        rows.iter().map(|row| row[column].width()).fold(heading, usize::max)
    });
    if let Some(width) = look.width {
        fit(&mut widths, width);
    }
    let styles = heading.map_or([Style::new(); N], |heading| heading.map(style));
    let heading =
        heading.map(|heading| line(heading.map(str::to_owned), widths, [HEADING; N], look));
    heading.into_iter().chain(rows.into_iter().map(|row| line(row, widths, styles, look))).collect()
}

/// Narrows the widest columns until all of them fit, the first one last: it says what the row is about.
fn fit(widths: &mut [usize], window: usize) {
    let gaps = GAP.len() * widths.len().saturating_sub(1);
    let mut excess = (widths.iter().sum::<usize>() + gaps).saturating_sub(window);
    for all in [false, true] {
        while excess > 0 {
            let skipped = usize::from(!all && widths.len() > 1);
            match widths.iter_mut().skip(skipped).max() {
                Some(widest) if *widest > LEAST => *widest -= 1,
                _ => break,
            }
            excess -= 1;
        }
    }
}

fn line<const N: usize>(
    row: [String; N],
    widths: [usize; N],
    styles: [Style; N],
    look: TableStyle,
) -> String {
    let mut line = String::new();
    let mut blank = 0;
    for (column, cell) in row.into_iter().enumerate() {
        let cell = cut(cell, widths[column]);
        if cell.is_empty() {
            blank += widths[column] + GAP.len();
            continue;
        }
        line.extend(std::iter::repeat_n(' ', blank));
        let style = if look.coloured { styles[column] } else { Style::new() };
        line += &format!("{style}{cell}{style:#}");
        blank = widths[column] - cell.width() + GAP.len();
    }
    line
}

/// The cell, if need be without its end.
fn cut(cell: String, width: usize) -> String {
    if cell.width() <= width {
        return cell;
    }
    let mut cut = String::new();
    for c in cell.chars() {
        if cut.width() + c.to_string().width() + 1 > width {
            break;
        }
        cut.push(c);
    }
    cut + "…"
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROWS: [[&str; 3]; 2] =
        [["wine/quality", "prod, staging", "b3:0123456789ab"], ["größe/日本", "", "b3:ff"]];

    fn table(width: Option<usize>, coloured: bool) -> Vec<String> {
        let rows = ROWS.map(|row| row.map(str::to_owned));
        lines(Some(["NAME", "TAGS", "DIGEST"]), rows, TableStyle { width, coloured })
    }

    #[test]
    fn columns_line_up_by_what_is_seen_and_no_line_ends_in_blanks() {
        let lines = table(None, false);
        assert_eq!(lines[0], "NAME          TAGS           DIGEST");
        assert_eq!(lines[1], "wine/quality  prod, staging  b3:0123456789ab");
        assert_eq!(lines[2], "größe/日本                   b3:ff");
    }

    #[test]
    fn a_table_fits_its_window_and_what_the_row_is_about_is_cut_last() {
        for width in [40, 34, 30] {
            let lines = table(Some(width), false);
            assert!(lines.iter().all(|line| line.width() <= width), "{lines:#?}");
            assert!(lines[1].starts_with("wine/quality  ") || width == 30, "{lines:#?}");
            assert!(lines[1].contains('…'), "{lines:#?}");
        }
        // A window that is too narrow for anything does not make the program fail.
        assert_eq!(table(Some(1), false).len(), 3);
    }

    #[test]
    fn colours_say_what_a_column_means_and_do_not_move_it() {
        let lines = table(None, true);
        let tags = AnsiColor::Green.on_default();
        assert!(lines[1].contains(&format!("{tags}prod, staging{tags:#}")), "{lines:?}");
        let plain: Vec<String> =
            lines.iter().map(|line| anstream::adapter::strip_str(line).to_string()).collect();
        assert_eq!(plain, table(None, false));
    }
}
