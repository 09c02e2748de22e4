//! What a load can see of the exceptions: told as findings, with file, line and column.

use expect_test::Expect;
use expect_test::expect;

use crate::exceptions::lab;

#[test]
fn what_a_load_can_see_is_told_at_the_load() {
    let rows: Vec<(&str, Expect)> = vec![
        (
            "w=x",
            expect![[r#"
            automate/Base/Lab/T.class/x.yaml:5:7: error[FieldNotFound]: the class has no field `w`; the value is left out
        "#]],
        ),
        (
            "r=/Lab/my leaf/one",
            expect![[r#"
                automate/Base/Lab/T.class/x.yaml:6:16: error[InvalidPathFormat]: `/Lab/my leaf/one` is not a valid path: ` ` is not allowed there
            "#]],
        ),
        (
            "r=/Lab/Leaf/one & r.collect=x={c}",
            expect![[r#"
                automate/Base/Lab/T.class/x.yaml:7:18: error[InvalidCollection]: `x={c}` is no collect expression: each entry of a hash needs exactly one `=>`
            "#]],
        ),
        (
            "m=x-y",
            expect![[r#"
                automate/Base/Lab/T.class/x.yaml:6:16: error[InvalidMethod]: `x-y` is no method call; `name`, `Class.name` or `/Namespace/Class.name(key => value)` is expected, of letters, digits and `_`
            "#]],
        ),
        (
            "g=1 +",
            expect![[r#"
                automate/Base/Lab/T.class/x.yaml:6:20: error[AssertionSyntax]: the condition `1 +` cannot be understood: Script is incomplete
            "#]],
        ),
    ];
    for (values, expected) in rows {
        let values: Vec<&str> = values.split(" & ").collect();
        let (_, diagnostics) = lab().instance("x", &values).load();
        let own = diagnostics
            .iter()
            .filter(|finding| finding.file.ends_with("/x.yaml"));
        let text: String = own.map(|finding| format!("{finding}\n")).collect();
        expected.assert_eq(&text);
    }
    let (_, diagnostics) = lab().load();
    let text: String = diagnostics.iter().map(|finding| format!("{finding}\n")).collect();
    expect![[r#"
        automate/Base/Lab/T.class/__methods__/refersh.yaml:3:11: error[MethodNotFound]: there is no builtin `refersh`; a call of `refersh` fails
        automate/Base/Lab/T.class/__methods__/ruby.yaml:4:15: warning[MethodLanguage]: the method is written in ruby; a call of it fails with InvalidMethod
        automate/Base/Lab/T.class/__methods__/broken.rhai:2:11: warning[UnknownFunction]: there is no function `.nothing_like_this(…)`
    "#]].assert_eq(&text);
}
