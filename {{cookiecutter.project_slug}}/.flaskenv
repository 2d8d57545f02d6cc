# Settings that everybody who works on this service shares. Committed, so no secrets here: what is
# yours or secret goes into .env (see .env.example), which wins, and the environment wins over both.
FLASK_APP=wsgi

# The name that pages show, and where the service runs.{{ "\nPROJECT_NAME='" ~ (cookiecutter.project_name | replace("\\", "\\\\") | replace("'", "\\'")) ~ "'\nAWS_REGION=" ~ (cookiecutter.aws_region | tojson | trim('"')) }}
# The user pool whose tokens are accepted.{{ "\nCOGNITO_USER_POOL_ID=" ~ (cookiecutter.user_pool_id | tojson | trim('"')) if cookiecutter.user_pool_id else " Not known when this was generated: run `python provision.py bootstrap`, which makes one, or put COGNITO_USER_POOL_ID here or into .env." }}
# ID tokens carry the user's e-mail address. A service that other programs call does not need it and
# is safer with COGNITO_TOKEN_USE=access: an ID token can also be exchanged for AWS credentials.
COGNITO_TOKEN_USE=id
COGNITO_COOKIE_NAME=__Host-token

COGNISES_GROUPS_FILE=groups.json
# IAM role names start with it; stages that share an AWS account need one each.{{ "\nCOGNISES_ROLE_PREFIX=" ~ (cookiecutter.project_slug | tojson | trim('"')) ~ "-" }}
