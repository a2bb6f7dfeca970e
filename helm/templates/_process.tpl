{{/*
Seconds from SIGTERM to SIGKILL: the drain and what follows it. The gateway's drain is its own grace where that is
longer, and its preStop counts too.
*/}}
{{- define "consensus.grace" -}}
{{- $drain := int (ceil .root.Values.config.kafka.drain_seconds) -}}
{{- if eq .name "gateway" -}}
{{- $drain = add (max $drain (int (ceil .root.Values.config.grpc.stop_grace_s))) .root.Values.gateway.preStopSeconds -}}
{{- end -}}
{{- add $drain .root.Values.terminationMarginSeconds -}}
{{- end }}

{{/*
One long-lived process: {"root": …, "name": worker | gateway | calibrator, "of": kinds of secrets}. A StatefulSet,
because a member of a Kafka group has a name that is its own and survives a restart: the pod's.
*/}}
{{- define "consensus.process" -}}
{{- $root := .root -}}
{{- $values := get $root.Values .name -}}
{{- $full := printf "%s-%s" (include "consensus.fullname" $root) .name -}}
apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: {{ $full }}
  labels:
    {{- include "consensus.labels" $root | nindent 4 }}
    app.kubernetes.io/component: {{ .name }}
spec:
  serviceName: {{ $full }}-pods
  replicas: {{ $values.replicas }}
  podManagementPolicy: Parallel
  updateStrategy: {type: RollingUpdate}
  selector:
    matchLabels:
      {{- include "consensus.selector" $root | nindent 6 }}
      app.kubernetes.io/component: {{ .name }}
  template:
    metadata:
      labels:
        {{- include "consensus.labels" $root | nindent 8 }}
        app.kubernetes.io/component: {{ .name }}
      annotations:
        checksum/config: {{ toYaml $root.Values.config | sha256sum }}
        {{- with $values.podAnnotations }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
    spec:
      serviceAccountName: {{ include "consensus.serviceAccount" $root }}
      terminationGracePeriodSeconds: {{ include "consensus.grace" . }}
      {{- include "consensus.podCommon" (dict "root" $root "config" (include "consensus.fullname" $root)) | trim | nindent 6 }}
      {{- range $key := list "nodeSelector" "tolerations" "affinity" "topologySpreadConstraints" }}
      {{- with get $values $key }}
      {{ $key }}:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- end }}
      {{- with $values.priorityClassName }}
      priorityClassName: {{ . }}
      {{- end }}
      containers:
        - name: {{ .name }}
          args: [{{ .name }}]
          {{- include "consensus.containerCommon" . | nindent 10 }}
          env:
            {{- include "consensus.commonEnv" . | nindent 12 }}
            - name: CONSENSUS__KAFKA__INSTANCE_ID
              valueFrom: {fieldRef: {fieldPath: metadata.name}}
            {{- with include "consensus.secretEnv" . | trim }}
            {{- . | nindent 12 }}
            {{- end }}
          ports:
            - {name: metrics, containerPort: {{ include "consensus.port" $root.Values.config.telemetry.listen }}}
            {{- if eq .name "gateway" }}
            - {name: grpc, containerPort: {{ include "consensus.port" $root.Values.config.grpc.listen }}}
            {{- end }}
          {{- if eq .name "gateway" }}
          lifecycle:
            preStop: {exec: {command: [sleep, {{ $values.preStopSeconds | quote }}]}}
          {{- end }}
          startupProbe:
            httpGet: {path: /livez, port: metrics}
            periodSeconds: 5
            failureThreshold: 24
          livenessProbe:
            httpGet: {path: /livez, port: metrics}
            periodSeconds: 10
            timeoutSeconds: 5
            failureThreshold: 3
          readinessProbe:
            httpGet: {path: /readyz, port: metrics}
            periodSeconds: 5
            timeoutSeconds: 5
            failureThreshold: 1
          resources:
            {{- toYaml $values.resources | nindent 12 }}
---
# Names for the pods, and the address that Prometheus scrapes.
apiVersion: v1
kind: Service
metadata:
  name: {{ $full }}-pods
  labels:
    {{- include "consensus.labels" $root | nindent 4 }}
    app.kubernetes.io/component: {{ .name }}
spec:
  clusterIP: None
  selector:
    {{- include "consensus.selector" $root | nindent 4 }}
    app.kubernetes.io/component: {{ .name }}
  ports:
    - {name: metrics, port: {{ include "consensus.port" $root.Values.config.telemetry.listen }}, targetPort: metrics}
    {{- if eq .name "gateway" }}
    - {name: grpc, port: {{ include "consensus.port" $root.Values.config.grpc.listen }}, targetPort: grpc}
    {{- end }}
{{- if $values.podDisruptionBudget.enabled }}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ $full }}
  labels:
    {{- include "consensus.labels" $root | nindent 4 }}
    app.kubernetes.io/component: {{ .name }}
spec:
  maxUnavailable: {{ $values.podDisruptionBudget.maxUnavailable }}
  selector:
    matchLabels:
      {{- include "consensus.selector" $root | nindent 6 }}
      app.kubernetes.io/component: {{ .name }}
{{- end }}
{{- end }}
