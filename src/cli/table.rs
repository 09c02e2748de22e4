//! Tables: every column has a budget, whatever the data says, so that no cell shifts or breaks another.

use std::borrow::Cow;
use std::io;
use std::io::Write;

use crate::cli::output::Output;
use crate::cli::width::fitted;
use crate::cli::width::padded;
use crate::cli::width::width;

/// What stands between two columns.
const GAP: &str = "  ";

/// One column.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Column {
    /// Its title.
    head: &'static str,
    /// The most columns of the terminal that it takes.
    most: usize,
}

/// A column of this title that is at most so wide.
pub(crate) const fn column(head: &'static str, most: usize) -> Column {
    Column { head, most }
}

/// Prints rows below their titles. A column is as wide as its widest cell, and never wider than its budget.
pub(crate) fn table(out: &mut Output, columns: &[Column], rows: &[Vec<String>]) -> io::Result<()> {
    let strong = out.palette.strong;
    let mut lines = lines(columns, rows).into_iter();
    let heads = lines.next().unwrap_or_default();
    writeln!(out, "{strong}{heads}{strong:#}")?;
    lines.try_for_each(|line| writeln!(out, "{line}"))
}

/// The cells of one row where no other row is known yet: each within its budget.
pub(crate) fn unaligned(columns: &[Column], row: &[String]) -> String {
    let cells = columns.iter().zip(row);
    let cells: Vec<_> = cells.map(|(column, cell)| fitted(cell, column.most)).collect();
    cells.join(GAP).trim_end().to_owned()
}

fn lines(columns: &[Column], rows: &[Vec<String>]) -> Vec<String> {
    let heads: Vec<Cow<'_, str>> = columns.iter().map(|column| column.head.into()).collect();
    let rows = rows.iter().map(|row| {
        let cells = row.iter().zip(columns);
        cells.map(|(cell, column)| fitted(cell, column.most)).collect()
    });
    let rows: Vec<Vec<Cow<'_, str>>> = std::iter::once(heads).chain(rows).collect();
    let widest = |index: usize| {
        rows.iter()
            .filter_map(|row| row.get(index))
            .map(|cell| width(cell))
            .max()
    };
    let widths: Vec<usize> = (0..columns.len())
        .map(|index| widest(index).unwrap_or(0))
        .collect();
    let line = |row: &Vec<Cow<'_, str>>| {
        let cells: Vec<String> = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| padded(cell, *width))
            .collect();
        cells.join(GAP).trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    use proptest::prelude::*;

    use crate::model::unseen::is_unseen;

    const COLUMNS: [Column; 3] = [column("A", 12), column("B", 7), column("LAST", 9)];

    #[test]
    fn columns_stay_where_they_are() {
        let row = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
        let rows = [
            row(["plain", "漢字", "x"]),
            row(["a\u{202e}b", "👍", "y"]),
            row(["a much longer text", "e\u{301}", "z\u{1b}[31m"]),
        ];
        let expected = [
            "A             B     LAST",
            "plain         漢字  x",
            "a\\u{202e}b    👍    y",
            "a much long…  e\u{301}     z\\u{1b}[…",
        ];
        assert_eq!(lines(&COLUMNS, &rows), expected);
        let long = "t".repeat(65_600);
        let rows = [row([&long, &long, &long])];
        assert_eq!(lines(&COLUMNS, &rows)[1], "ttttttttttt…  tttttt…  tttttttt…");
        assert_eq!(unaligned(&COLUMNS, &rows[0]), "ttttttttttt…  tttttt…  tttttttt…");
    }

    proptest! {
        #[test]
        fn no_row_is_wider_than_its_columns(
            rows in prop::collection::vec(prop::collection::vec(any::<String>(), 2..=2), 0..6),
        ) {
            // What follows cells of any kind begins in the same column of every row.
            let rows: Vec<Vec<String>> = rows.into_iter().map(|row| [row, vec!["|".to_owned()]].concat()).collect();
            let lines = lines(&COLUMNS, &rows);
            let mut begins = Vec::new();
            for line in &lines {
                prop_assert!(width(line) <= 12 + 2 + 7 + 2 + 9, "{line:?}");
                prop_assert!(!line.contains(is_unseen), "{line:?}");
            }
            for line in &lines[1..] {
                let before = line.strip_suffix('|');
                begins.push(width(before.unwrap_or_default()));
            }
            begins.dedup();
            prop_assert!(begins.len() <= 1, "{lines:?}");
        }
    }
}
