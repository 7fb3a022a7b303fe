"""Users whose tokens others issue: JWTs of OpenID Connect, as an AuthenticationConfiguration says."""
