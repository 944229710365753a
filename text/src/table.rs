//! Tables: aligned columns that fit the window, with colours.

use anstyle::{AnsiColor, Style};
use unicode_width::UnicodeWidthStr as _;

use crate::clean;

/// Between two columns.
const GAP: &str = "  ";
/// The minimum widths of a truncated column: first the readable one, then the one for narrow windows.
const MIN_WIDTHS: [usize; 2] = [8, 2];

/// The style of tables.
#[derive(Debug, Clone, Copy, Default)]
pub struct TableStyle {
    /// The width of the window; `None` for unlimited.
    pub width: Option<usize>,
    /// True for colours, as ANSI escapes.
    pub coloured: bool,
}

/// The style of a column, by its heading.
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

/// Formats a table, with an optional heading.
pub fn lines<const N: usize>(
    heading: Option<[&str; N]>,
    rows: impl IntoIterator<Item = [String; N]>,
    table: TableStyle,
) -> Vec<String> {
    let rows = rows.into_iter().map(Vec::from).collect();
    lines_of(heading.map(|heading| heading.to_vec()), N, rows, table)
}

/// Formats a table of any number of columns. Missing cells are empty, further ones are left out.
pub fn lines_of(
    heading: Option<Vec<&str>>,
    columns: usize,
    rows: Vec<Vec<String>>,
    table: TableStyle,
) -> Vec<String> {
    let cleaned = |row: Vec<String>| {
        let mut row: Vec<String> = row.iter().map(|cell| clean(cell).into_owned()).collect();
        row.resize(columns, String::new());
        row
    };
    let rows: Vec<Vec<String>> = rows.into_iter().map(cleaned).collect();
    let heading = heading.map(|mut heading| {
        heading.resize(columns, "");
        heading
    });
    let mut widths: Vec<usize> = (0..columns)
        .map(|column| {
            let heading = heading.as_ref().map_or(0, |heading| heading[column].width());
            rows.iter().map(|row| row[column].width()).fold(heading, usize::max)
        })
        .collect();
    if let Some(width) = table.width {
        fit(&mut widths, width);
    }
    let styles: Vec<Style> = match &heading {
        Some(heading) => heading.iter().map(|heading| style(heading)).collect(),
        None => vec![Style::new(); columns],
    };
    let heading = heading.map(|heading| {
        let heading = heading.into_iter().map(|cell| clean(cell).into_owned()).collect();
        line(heading, &widths, &vec![HEADING; columns], table)
    });
    heading
        .into_iter()
        .chain(rows.into_iter().map(|row| line(row, &widths, &styles, table)))
        .collect()
}

/// Narrows the widest columns until the table fits; the first column, which identifies the row, last.
fn fit(widths: &mut [usize], window: usize) {
    let gaps = GAP.len() * widths.len().saturating_sub(1);
    let mut excess = (widths.iter().sum::<usize>() + gaps).saturating_sub(window);
    let steps = MIN_WIDTHS.iter().flat_map(|least| [(false, *least), (true, *least)]);
    for (all, least) in steps {
        while excess > 0 {
            let skipped = usize::from(!all && widths.len() > 1);
            match widths.iter_mut().skip(skipped).max() {
                Some(widest) if *widest > least => *widest -= 1,
                _ => break,
            }
            excess -= 1;
        }
    }
}

fn line(row: Vec<String>, widths: &[usize], styles: &[Style], table: TableStyle) -> String {
    let mut line = String::new();
    let mut blank = 0;
    for (column, cell) in row.into_iter().enumerate() {
        let cell = cut(cell, widths[column]);
        if cell.is_empty() {
            blank += widths[column] + GAP.len();
            continue;
        }
        line.extend(std::iter::repeat_n(' ', blank));
        let style = if table.coloured { styles[column] } else { Style::new() };
        line += &format!("{style}{cell}{style:#}");
        blank = widths[column] - cell.width() + GAP.len();
    }
    line
}

/// Truncates a cell.
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
    fn columns_align_by_display_width_without_trailing_blanks() {
        let lines = table(None, false);
        assert_eq!(lines[0], "NAME          TAGS           DIGEST");
        assert_eq!(lines[1], "wine/quality  prod, staging  b3:0123456789ab");
        assert_eq!(lines[2], "größe/日本                   b3:ff");
    }

    #[test]
    fn a_table_fits_its_window_and_the_first_column_is_cut_last() {
        for width in [40, 34, 30, 20, 12] {
            let lines = table(Some(width), false);
            assert!(lines.iter().all(|line| line.width() <= width), "{lines:#?}");
            assert!(lines[1].starts_with("wine/quality  ") || width <= 30, "{lines:#?}");
            assert!(lines[1].contains('…'), "{lines:#?}");
        }
        // A window that is too narrow is not an error.
        assert_eq!(table(Some(1), false).len(), 3);
    }

    #[test]
    fn rows_need_not_have_all_columns() {
        let rows = vec![vec!["a".to_owned()], ["b", "c", "d"].map(str::to_owned).to_vec()];
        let lines = lines_of(Some(vec!["NAME"]), 2, rows, TableStyle::default());
        assert_eq!(lines, ["NAME", "a", "b     c"]);
    }

    #[test]
    fn colours_do_not_change_the_alignment() {
        let lines = table(None, true);
        let tags = AnsiColor::Green.on_default();
        assert!(lines[1].contains(&format!("{tags}prod, staging{tags:#}")), "{lines:?}");
        let plain: Vec<String> =
            lines.iter().map(|line| anstream::adapter::strip_str(line).to_string()).collect();
        assert_eq!(plain, table(None, false));
    }
}
