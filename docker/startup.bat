@echo off
rem Builds the images and starts a ring of five servers and three clients, then says what to do next.
rem Needs Docker Desktop.
setlocal enabledelayedexpansion
cd /d "%~dp0"
docker compose version >nul 2>&1
if errorlevel 1 (set COMPOSE=docker-compose) else (set COMPOSE=docker compose)
%COMPOSE% --file compose.yaml --project-name p2pchat build || exit /b 1
%COMPOSE% --file compose.yaml --project-name p2pchat up --detach || exit /b 1
echo waiting for five servers
for /l %%i in (1,1,120) do (
    set READY=0
    for /f %%n in ('docker ps --filter health^=healthy --filter "name=^server[1-5]$" --format "{{.Names}}"') do set /a READY+=1
    if !READY! geq 5 goto ready
    timeout /t 1 /nobreak >nul
)
echo only !READY! of 5 servers are ready; see: docker logs server1 1>&2
exit /b 1
:ready
echo The ring stands. Now:
echo   docker exec -it client1 p2pchat            register somebody, and chat
echo   docker exec -it client2 p2pchat            the other one, in a second terminal
echo   docker exec -it server1 p2pchat ring view  watch the ring
echo   %COMPOSE% -f docker\compose.yaml -p p2pchat down     stop; add -v to delete everything
