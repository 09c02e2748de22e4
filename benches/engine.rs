//! What a run of the engine costs, beside the bare Rhai calls that it contains.
#![expect(missing_docs, clippy::print_stdout, reason = "a bench")]
fn main() {
    println!("engine")
}
