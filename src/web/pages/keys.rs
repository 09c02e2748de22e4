//! The dialog that lists the keys.

use maud::Markup;
use maud::html;

/// Keys, each a list that is pressed one after the other or any of, and what they do.
type Keys = &'static [(&'static [&'static str], &'static str)];

const SECTIONS: [(&str, Keys); 3] = [
    (
        "Anywhere",
        &[
            (&["?"], "These keys"),
            (&["/"], "Search"),
            (&["g", "t"], "Timeline"),
            (&["g", "i"], "Inventory"),
            (&["g", "r"], "Rules"),
            (&["g", "o"], "Operations"),
            (&["j", "k"], "Next, previous event in a list"),
        ],
    ),
    (
        "Timeline",
        &[
            (&["c"], "Into the chart"),
            (&["←", "→"], "Next bar with events"),
            (&["↑", "↓"], "Lane"),
            (&["Enter"], "Zoom into the bar, open the event"),
            (&["+", "-"], "Zoom in, out"),
            (&["[", "]"], "Half a window back, on"),
            (&["1", "2", "3", "4", "5"], "1 h, 6 h, 24 h, 7 d, 30 d"),
            (&["u", "Esc"], "Undo the last zoom"),
            (&["0"], "Start over"),
            (&["l"], "Pause or resume live"),
        ],
    ),
    (
        "Event",
        &[
            (&["e"], "Open or close every step"),
            (&["n"], "Only what did not happen"),
        ],
    ),
];

/// The dialog; the script opens it.
pub(crate) fn dialog() -> Markup {
    html! {
        dialog #help aria-labelledby="help-h" {
            header {
                h2 #help-h { "Keys" }
                button."quiet small" data-do="close" { "Close" }
            }
            div."body stack" {
                @for (name, keys) in SECTIONS {
                    section {
                        h3 { (name) }
                        dl.kv {
                            @for (keys, does) in keys {
                                dt { @for key in *keys { kbd { (key) } " " } }
                                dd { (does) }
                            }
                        }
                    }
                }
                p { label { input #letters type="checkbox"; " Single letters are keys" } }
            }
        }
    }
}
