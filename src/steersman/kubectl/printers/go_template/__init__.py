"""Go's text/template: lexer, parser, execution, and the functions a template may call."""
