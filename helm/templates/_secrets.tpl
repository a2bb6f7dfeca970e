{{/*
Every key of the configuration that refers to a variable, as a JSON list of {path, variable, of}. "of" is the kind of
process that reads it: a model's key goes to the workers alone, the store's URL to everybody but the topics job.
*/}}
{{- define "consensus.references" -}}
{{- $found := list -}}
{{- range $name, $model := .Values.config.models -}}
{{- with $model.api_key_env -}}
{{- $found = append $found (dict "path" (printf "config.models.%s.api_key_env" $name) "variable" . "of" "models") -}}
{{- end -}}
{{- end -}}
{{- with .Values.config.kafka.sasl_password_env -}}
{{- $found = append $found (dict "path" "config.kafka.sasl_password_env" "variable" . "of" "kafka") -}}
{{- end -}}
{{- with .Values.config.store.url_env -}}
{{- $found = append $found (dict "path" "config.store.url_env" "variable" . "of" "store") -}}
{{- end -}}
{{- with .Values.config.telemetry.sentry_dsn_env -}}
{{- $found = append $found (dict "path" "config.telemetry.sentry_dsn_env" "variable" . "of" "telemetry") -}}
{{- end -}}
{{- toJson $found -}}
{{- end }}

{{/* Refuses a reference without a secret, and a secret that nothing refers to, by name. */}}
{{- define "consensus.checkSecrets" -}}
{{- $known := dict -}}
{{- range fromJsonArray (include "consensus.references" .) -}}
{{- $_ := set $known .variable true -}}
{{- if not (hasKey $.Values.secrets .variable) -}}
{{- fail (printf "%s refers to the variable %s: add secrets.%s with the name and key of a Secret" .path .variable .variable) -}}
{{- end -}}
{{- end -}}
{{- range $variable, $_ := .Values.secrets -}}
{{- if not (hasKey $known $variable) -}}
{{- fail (printf "secrets.%s: no key of config refers to this variable: remove it, or correct its name" $variable) -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* Environment entries of the variables of some kinds: {"root": …, "of": [kind, …]}. */}}
{{- define "consensus.secretEnv" -}}
{{- include "consensus.checkSecrets" .root -}}
{{- $seen := dict -}}
{{- range fromJsonArray (include "consensus.references" .root) -}}
{{- if and (has .of $.of) (not (hasKey $seen .variable)) -}}
{{- $_ := set $seen .variable true -}}
{{- $secret := get $.root.Values.secrets .variable }}
- name: {{ .variable }}
  valueFrom:
    secretKeyRef:
      name: {{ $secret.name }}
      key: {{ $secret.key }}
{{- end -}}
{{- end -}}
{{- end }}
