{{/* The pod of the gateway, the same in a StatefulSet and in a Deployment. */}}
{{- define "tollgate.pod" -}}
metadata:
  labels:
    {{- include "tollgate.labels" . | nindent 4 }}
    app.kubernetes.io/component: gateway
    {{- with .Values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  annotations:
    {{- if .Values.secret.values }}
    # The environment is read at the start only: a changed Secret replaces the pods.
    checksum/secret: {{ toJson .Values.secret.values | sha256sum }}
    {{- end }}
    kubectl.kubernetes.io/default-container: tollgate
    {{- with .Values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ include "tollgate.serviceAccountName" . }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  {{- with .Values.image.pullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  # The pause before SIGTERM, the 29 s that the gateway takes at most (25 for running answers, 2 for their last words, 2 for the
  # ledger), and some air.
  terminationGracePeriodSeconds: {{ add .Values.drain.preStopSeconds 35 }}
  securityContext:
    {{- include "tollgate.podSecurity" . | nindent 4 }}
  containers:
    - name: tollgate
      image: {{ include "tollgate.image" . | quote }}
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      args:
        - --config
        - /app/config.yaml
        {{- with .Values.extraArgs }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      envFrom:
        - secretRef:
            name: {{ include "tollgate.secretName" . }}
      env:
        - name: TOLLGATE_DATA_DIR
          value: /data
        {{- include "tollgate.databaseUrl" . | nindent 8 }}
        {{- with .Values.extraEnv }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      ports:
        - name: http
          containerPort: 4000
      # It listens when the tables are up to date, which the job has seen to before an upgrade; without the job that may take a while.
      startupProbe:
        httpGet:
          path: /health/liveliness
          port: http
        periodSeconds: 1
        failureThreshold: 300
      livenessProbe:
        httpGet:
          path: /health/liveliness
          port: http
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 3
      readinessProbe:
        httpGet:
          path: /health/readiness
          port: http
        periodSeconds: 5
        timeoutSeconds: 3
        failureThreshold: 2
      lifecycle:
        preStop:
          sleep:
            seconds: {{ .Values.drain.preStopSeconds }}
      resources:
        {{- toYaml .Values.resources | nindent 8 }}
      securityContext:
        {{- include "tollgate.containerSecurity" . | nindent 8 }}
      volumeMounts:
        # A folder and no subPath, or edits of the ConfigMap would not reach it.
        - name: config
          mountPath: /app
          readOnly: true
        - name: data
          mountPath: /data
        - name: tmp
          mountPath: /tmp
  volumes:
    - name: config
      configMap:
        name: {{ include "tollgate.fullname" . }}
    - name: tmp
      emptyDir:
        sizeLimit: 64Mi
    {{- if eq .Values.workload "Deployment" }}
    - name: data
      {{- if .Values.persistence.existingClaim }}
      persistentVolumeClaim:
        claimName: {{ .Values.persistence.existingClaim }}
      {{- else }}
      emptyDir:
        sizeLimit: {{ .Values.persistence.size }}
      {{- end }}
    {{- end }}
  {{- with .Values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  topologySpreadConstraints:
    {{- if kindIs "invalid" .Values.topologySpreadConstraints }}
    - maxSkew: 1
      topologyKey: kubernetes.io/hostname
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels:
          {{- include "tollgate.selector" . | nindent 10 }}
          app.kubernetes.io/component: gateway
    {{- else }}
    {{- toYaml .Values.topologySpreadConstraints | nindent 4 }}
    {{- end }}
{{- end -}}

{{/* Named for itself, so that a Secret without it is told of instead of an embedded database made. */}}
{{- define "tollgate.databaseUrl" -}}
- name: DATABASE_URL
  {{- if eq .Values.database "postgresql" }}
  valueFrom:
    secretKeyRef:
      name: {{ include "tollgate.secretName" . }}
      key: DATABASE_URL
  {{- else }}
  value: ""
  {{- end }}
{{- end -}}

{{- define "tollgate.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "tollgate.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop:
    - ALL
{{- end -}}
